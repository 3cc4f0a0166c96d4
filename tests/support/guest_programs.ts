import type { ContractPrograms } from "./guest_engine.ts";

/** The bytes of src/guests/programs/hello.bin. */
export const HELLO: Uint8Array<ArrayBuffer> = Deno.readFileSync(
  new URL("../../src/guests/programs/hello.bin", import.meta.url),
);

/** The contract's programs in machine code, to be loaded at 0x1000. */
export const V86_PROGRAMS: ContractPrograms = {
  hello: HELLO,
  // inc %ecx; jmp .-1
  spin: Uint8Array.of(0x41, 0xeb, 0xfd),
  // ud2
  crash: Uint8Array.of(0x0f, 0x0b),
  shutdown: Uint8Array.of(
    ...[0xbb, 0x00, 0x20, 0x00, 0x00], // mov $0x2000, %ebx
    ...[0xb8, 0x01, 0x00, 0x00, 0x00], // mov $1, %eax
    ...[0xe7, 0x1f], // out %eax, $0x1f
    ...[0xbb, 0x00, 0x30, 0x00, 0x00], // mov $0x3000, %ebx
    ...[0x89, 0xf9], // mov %edi, %ecx
    ...[0xb8, 0x02, 0x00, 0x00, 0x00], // mov $2, %eax
    ...[0xe7, 0x1f], // out %eax, $0x1f
  ),
  // hlt
  hlt: Uint8Array.of(0xf4),
};
