import type { GuestStart } from "../../src/core/ports/guest_engine.ts";
import type { DiskShape, PcDevices, SerialLine } from "../../src/core/ports/pc_devices.ts";
import { MIB } from "../../src/core/limits.ts";
import { IDENTITY_PAGE_AT } from "../../src/guests/linux/boot.ts";

/**
 * A kernel of 41 bytes for 0x100000: echoes what the serial line brings. `h` halts with interrupts
 * off, `r` pulls the reset line, `t` does what no handler takes, `g` writes the generation.
 */
const ECHO_KERNEL = Uint8Array.of(
  ...[0x66, 0xba, 0xfd, 0x03, 0xec], // start: mov $0x3fd, %dx; in %dx, %al
  ...[0xa8, 0x01, 0x74, 0xf7], // test $1, %al; jz start
  ...[0x66, 0xba, 0xf8, 0x03, 0xec], // mov $0x3f8, %dx; in %dx, %al
  ...[0x3c, 0x68, 0x74, 0x14], // cmp $'h', %al; je halt
  ...[0x3c, 0x72, 0x74, 0x12], // cmp $'r', %al; je reboot
  ...[0x3c, 0x74, 0x74, 0x12], // cmp $'t', %al; je trap
  ...[0x3c, 0x67, 0x75, 0x05], // cmp $'g', %al; jne echo
  ...[0xa0, 0x08, 0xf0, 0x09, 0x00], // mov 0x9f008, %al
  ...[0xee, 0xeb, 0xda], // echo: out %al, %dx; jmp start
  ...[0xfa, 0xf4], // halt: cli; hlt
  ...[0xb0, 0xfe, 0xe6, 0x64], // reboot: mov $0xfe, %al; out %al, $0x64
  ...[0x0f, 0x0b], // trap: ud2
);

/** How a PC begins that runs the echo kernel. */
export function echoStart(disks: readonly DiskShape[] = []): GuestStart {
  return {
    memoryBytes: 4 * MIB,
    start: 0x100000,
    load: [
      { at: 0x100000, bytes: ECHO_KERNEL },
      // Flat code at 0x10 and flat data at 0x18.
      {
        at: 0x6000,
        bytes: new Uint8Array(
          BigUint64Array.of(0n, 0n, 0xcf_9b00_0000_ffffn, 0xcf_9300_0000_ffffn).buffer,
        ),
      },
    ],
    identity: { generation: 55, epoch: 1n, unique: "01".repeat(16) },
    pc: {
      bootParams: 0x7000,
      gdt: { at: 0x6000, limit: 31 },
      identityAt: IDENTITY_PAGE_AT,
      disks,
    },
  };
}

/** Devices that collect what is written to the lines; they have nothing else. */
export class Lines implements PcDevices {
  readonly texts: [string, string] = ["", ""];
  #wake = (): void => {};

  written(line: SerialLine, bytes: Uint8Array): void {
    this.texts[line] += new TextDecoder().decode(bytes);
    this.#wake();
  }

  /** Waits until a line has brought this; what comes after it stays for later. */
  async until(text: string, line: SerialLine = 0): Promise<void> {
    while (!this.texts[line].includes(text)) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const end = this.texts[line].indexOf(text) + text.length;
    this.texts[line] = this.texts[line].slice(end);
  }

  readDisk(): Promise<never> {
    return Promise.reject(new Error("no disk"));
  }

  writeDisk(): Promise<never> {
    return Promise.reject(new Error("no disk"));
  }

  flushDisk(): Promise<never> {
    return Promise.reject(new Error("no disk"));
  }

  serve9p(): Promise<never> {
    return Promise.reject(new Error("no share"));
  }
}

/** mov of a port to %dx and of a value to %eax, and the out of so many bytes. */
function out(port: number, value: number, bytes: 1 | 2 | 4): number[] {
  const le = (number: number, count: number) =>
    [...Array(count).keys()].map((at) => (number >>> (8 * at)) & 0xff);
  const move = { 1: [0xb0], 2: [0x66, 0xb8], 4: [0xb8] }[bytes];
  const write = { 1: [0xee], 2: [0x66, 0xef], 4: [0xef] }[bytes];
  return [0x66, 0xba, ...le(port, 2), ...move, ...le(value, bytes), ...write];
}

function forEver(once: readonly number[], again: readonly number[]): Uint8Array {
  const back = -(again.length + 5);
  const jump = [0xe9, ...new Uint8Array(Int32Array.of(back).buffer)];
  return Uint8Array.of(...once, ...again, ...jump);
}

/** How a PC begins that flushes its first disk for ever, without waiting. */
export function flushingStart(): GuestStart {
  const code = forEver(out(0x1f6, 0xe0, 1), out(0x1f7, 0xe7, 1));
  return withCode(code, [], [{ sizeBytes: MIB, readOnly: false }]);
}

/** How a PC begins that sends one message of 9P for ever, without waiting. */
export function ninepStart(messageBytes: number): GuestStart {
  const [common, notify] = [0xa800, 0xa900];
  const [descriptors, available, used, message, reply] = [
    0x200000,
    0x201000,
    0x202000,
    0x240000,
    0x380000,
  ];
  const setUp = [
    ...[0, 1, 3].flatMap((status) => out(common + 20, status, 1)),
    ...[...out(common + 8, 1, 4), ...out(common + 12, 1, 4), ...out(common + 20, 11, 1)],
    ...[...out(common + 22, 0, 2), ...out(common + 24, 32, 2)],
    ...[descriptors, available, used].flatMap((at, index) => [
      ...out(common + 32 + 8 * index, at, 4),
      ...out(common + 36 + 8 * index, 0, 4),
    ]),
    ...[...out(common + 28, 1, 2), ...out(common + 20, 15, 1)],
  ];
  // incw available + 2, and the doorbell.
  const index = available + 2;
  const again = [0x66, 0xff, 0x05, index & 0xff, (index >> 8) & 0xff, index >> 16, 0];
  const chain = new DataView(new ArrayBuffer(32));
  chain.setUint32(0, message, true);
  chain.setUint32(8, messageBytes, true);
  chain.setUint16(12, 1, true);
  chain.setUint16(14, 1, true);
  chain.setUint32(16, reply, true);
  chain.setUint32(24, 4096, true);
  chain.setUint16(28, 2, true);
  const head = new DataView(new ArrayBuffer(7));
  head.setUint32(0, messageBytes, true);
  head.setUint8(4, 24);
  head.setUint16(5, 1, true);
  const load = [
    { at: descriptors, bytes: new Uint8Array(chain.buffer) },
    { at: message, bytes: new Uint8Array(head.buffer) },
  ];
  return withCode(forEver(setUp, [...again, ...out(notify, 0, 2)]), load, []);
}

function withCode(
  code: Uint8Array,
  more: GuestStart["load"],
  disks: readonly DiskShape[],
): GuestStart {
  const start = echoStart(disks);
  const load = start.load.map((piece) =>
    piece.at === start.start ? { ...piece, bytes: code } : piece
  );
  return { ...start, load: [...load, ...more] };
}
