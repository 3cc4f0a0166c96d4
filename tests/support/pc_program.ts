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
