import { NINEP_CALLS_MAX, NINEP_MESSAGE_BYTES_MAX } from "../../core/limits.ts";
import type { DiskShape, PcDevices } from "../../core/ports/pc_devices.ts";
import type { Cpu, IdeDrive } from "./cpu.ts";
import { type Emulator, startEmulator } from "./emulator.ts";
import { IdeDisk } from "./ide_disk.ts";
import { SerialPort } from "./serial_port.ts";
import { UnderWay } from "./under_way.ts";

/** The least memory that v86 takes for its screen, in bytes. */
const SCREEN_BYTES = 1024 * 1024;

/** Interrupt lines of the PCI pins A to D. */
const PCI_LINES = [10, 11, 10, 11] as const;
/** The edge/level register of the second interrupt controller: lines 10 and 11 are levels. */
const ELCR_HIGH_PORT = 0x4d1;
const ELCR_HIGH = 0x0c;
/** Offsets in the PCI configuration: class, and the interrupt line and pin of a device. */
const CONFIG = { subclass: 0x0a, baseClass: 0x0b, line: 0x3c, pin: 0x3d } as const;
/** Offset of the base addresses, in words of 32 bits. */
const BARS_AT = 4;
const [MASS_STORAGE, IDE] = [1, 1];
/** The PIIX's IDETIM registers: the upper bytes switch its two channels on. */
const IDE_DECODE = [0x41, 0x43] as const;
const IDE_DECODE_ON = 0x80;
const PIRQ_ROUTING_AT = 0x60;

/** Why a PC stopped for good. */
type PcStop = "halt" | "reboot";

/** v86 as a PC: two serial lines, disks on IDE, 9p over virtio, no BIOS and no screen to see. */
export class Pc {
  readonly cpu: Cpu;
  readonly serial: readonly [SerialPort, SerialPort];
  readonly #emulator: Emulator;
  readonly #disks: readonly IdeDisk[];
  readonly #calls9p: Calls9p;
  /** How it stopped in the last slice. */
  #stop: PcStop | undefined;

  private constructor(
    emulator: Emulator,
    disks: readonly IdeDisk[],
    calls9p: Calls9p,
    devices: PcDevices,
  ) {
    const { cpu } = emulator;
    this.cpu = cpu;
    this.#emulator = emulator;
    this.#disks = disks;
    this.#calls9p = calls9p;
    const { uart0, uart1, ide } = cpu.devices;
    this.serial = [
      new SerialPort(uart0, (bytes) => devices.written(0, bytes)),
      new SerialPort(uart1, (bytes) => devices.written(1, bytes)),
    ];
    emulator.onBus("serial0-output-byte", (byte) => this.serial[0].wrote(byte));
    emulator.onBus("serial1-output-byte", (byte) => this.serial[1].wrote(byte));
    const drives = [ide.primary?.master, ide.primary?.slave];
    for (const [index, disk] of disks.entries()) disk.plug(drives[index] as IdeDrive);
    // v86 would start a BIOS, and there is none.
    cpu.reboot_internal = () => this.leave("reboot");
  }

  /**
   * @param memoryBytes Whole mebibytes
   * @param nowMs The time of this PC
   */
  static async make(
    { memoryBytes, disks: shapes, nowMs, devices }: {
      readonly memoryBytes: number;
      readonly disks: readonly DiskShape[];
      readonly nowMs: () => number;
      readonly devices: PcDevices;
    },
  ): Promise<Pc> {
    const disks = shapes.map((shape, index) =>
      new IdeDisk(shape, {
        read: (at, length) => devices.readDisk(index, at, length),
        write: (at, bytes) => devices.writeDisk(index, at, bytes),
        flush: () => devices.flushDisk(index),
      })
    );
    const calls9p = new Calls9p(devices);
    const made: { pc?: Pc } = {};
    const emulator = await startEmulator(
      {
        memory_size: memoryBytes,
        vga_memory_size: SCREEN_BYTES,
        uart1: true,
        filesystem: { handle9p: calls9p.handle },
        ...(disks[0] === undefined ? {} : { hda: disks[0] }),
        ...(disks[1] === undefined ? {} : { hdb: disks[1] }),
      },
      (env) => {
        // HLT with interrupts off: nothing can wake the processor any more.
        env["cpu_event_halt"] = () => made.pc?.leave("halt");
        env["microtick"] = nowMs;
      },
    );
    emulator.setTime(nowMs);
    made.pc = new Pc(emulator, disks, calls9p, devices);
    return made.pc;
  }

  /** Does what a BIOS would: routes PCI interrupts and switches the IDE channels on. */
  setUpPci(): void {
    const { pci } = this.cpu.devices;
    for (const [pin, line] of PCI_LINES.entries()) {
      pci.isa_bridge_space8[PIRQ_ROUTING_AT + pin] = line;
    }
    for (const [id, space] of pci.device_spaces.entries()) {
      if (space === undefined) continue;
      const bytes = new Uint8Array(space.buffer, space.byteOffset);
      if (bytes[CONFIG.baseClass] === MASS_STORAGE && bytes[CONFIG.subclass] === IDE) {
        for (const at of IDE_DECODE) bytes[at] = (bytes[at] ?? 0) | IDE_DECODE_ON;
      }
      // v86 cannot restore base addresses of ports that cannot be moved.
      const bars = pci.devices[id]?.pci_bars ?? [];
      for (const bar of bars.keys()) {
        if (bars[bar] === undefined) space[BARS_AT + bar] = 0;
      }
      const pin = bytes[CONFIG.pin] ?? 0;
      const slot = id >> 3;
      // Pins rotate from slot to slot, as on the board that v86 emulates.
      if (pin > 0) bytes[CONFIG.line] = PCI_LINES[(pin - 1 + slot - 1) & 3] ?? 0;
    }
    this.cpu.io.port_write8(ELCR_HIGH_PORT, ELCR_HIGH);
  }

  /** Takes how it stopped in the last slice, `undefined` when it did not. */
  takeStop(): PcStop | undefined {
    const stop = this.#stop;
    this.#stop = undefined;
    return stop;
  }

  /** Ends the slice. */
  leave(stop: PcStop): void {
    this.#stop ??= stop;
    this.cpu.in_hlt[0] = 1;
  }

  /** Waits until no device waits for the host, and saves the whole machine in v86's form. */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    for (const { underWay } of [...this.#disks, this.#calls9p]) await underWay.none();
    return new Uint8Array(await this.#emulator.saveState());
  }

  async restore(state: Uint8Array): Promise<void> {
    // A copy, because v86 takes offsets from the beginning of the buffer.
    const own = new Uint8Array(state);
    await this.#emulator.restoreState(own.buffer);
    // No message was under way, and v86 may leave something here that is no Map.
    this.cpu.devices.virtio_9p.tag_bufchain = new Map();
  }
}

/** 9p messages on their way to the host and back. */
class Calls9p {
  readonly #devices: PcDevices;
  readonly underWay = new UnderWay();

  constructor(devices: PcDevices) {
    this.#devices = devices;
  }

  /** What v86 calls for each message. */
  readonly handle = (message: Uint8Array, reply: (bytes: Uint8Array) => void): void => {
    // v86 takes as much from its queue as a guest puts there. More than allowed is not answered.
    if (message.length > NINEP_MESSAGE_BYTES_MAX || this.underWay.count >= NINEP_CALLS_MAX) return;
    this.underWay.add(this.#devices.serve9p(new Uint8Array(message)), reply);
  };
}
