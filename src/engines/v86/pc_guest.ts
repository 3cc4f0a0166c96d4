import { identityPage } from "../lguest/identity_page.ts";
import type { RegisterChanges, Registers } from "../../core/ports/guest_registers.ts";
import type {
  Death,
  GuestExit,
  GuestIdentity,
  GuestImage,
  PcShape,
} from "../../core/ports/guest_engine.ts";
import type { DiskShape, PcDevices, SerialLine } from "../../core/ports/pc_devices.ts";
import { ENGINE, type GuestHost, type GuestOnThread } from "./guest_on_thread.ts";
import { GuestTime } from "./guest_time.ts";
import { Pc } from "./pc.ts";
import { allRegisters, getRegister, resetFlat, setRegister } from "./registers.ts";

const [BOOT_CS, BOOT_DS] = [0x10, 0x18];
/** The guest runs at most this long before messages are let in, in milliseconds. */
const BREATH_MS = 1;
/** Waits for the host's thread to take what the guest wrote, looked at this often. */
const HELD_MS = 10;

/** What a snapshot says of a PC beside v86's own state. */
interface PcState {
  readonly version: string;
  readonly identityAt: number;
  readonly disks: readonly DiskShape[];
  readonly timeMs: number;
  /** What each UART held for the guest. */
  readonly held: readonly [readonly number[], readonly number[]];
}

/** Of v86's own state, which is of no use to another version of it. */
export const PC_STATE_VERSION = "v86 0.5.462";

/** A PC on v86, inside its Worker. */
export class PcGuest implements GuestOnThread {
  readonly #pc: Pc;
  readonly #time: GuestTime;
  readonly #host: GuestHost;
  readonly #memoryBytes: number;
  readonly #disks: readonly DiskShape[];
  readonly #identityAt: number;
  #death: Death | undefined;
  #interrupted = false;

  private constructor(
    pc: Pc,
    time: GuestTime,
    host: GuestHost,
    memoryBytes: number,
    { disks, identityAt }: Pick<PcShape, "disks" | "identityAt">,
  ) {
    this.#pc = pc;
    this.#time = time;
    this.#host = host;
    this.#memoryBytes = memoryBytes;
    this.#disks = disks;
    this.#identityAt = identityAt;
  }

  static async start(
    { memoryBytes, start, load, identity, shape }: {
      readonly memoryBytes: number;
      readonly start: number;
      readonly load: readonly { readonly at: number; readonly bytes: Uint8Array }[];
      readonly identity: GuestIdentity;
      readonly shape: PcShape;
    },
    host: GuestHost & PcDevices,
  ): Promise<PcGuest> {
    const time = new GuestTime(host.monotonicMs);
    const pc = await Pc.make({ memoryBytes, disks: shape.disks, nowMs: time.now, host });
    const { cpu } = pc;
    for (const { at, bytes } of load) cpu.write_blob(bytes, at);
    pc.setUpPci();
    resetFlat(cpu, BOOT_CS, BOOT_DS);
    cpu.gdtr_offset[0] = shape.gdt.at;
    cpu.gdtr_size[0] = shape.gdt.limit;
    setRegister(cpu, "ip", start);
    setRegister(cpu, "si", shape.bootParams);
    const guest = new PcGuest(pc, time, host, memoryBytes, shape);
    guest.identify(identity);
    return guest;
  }

  static async restore(
    image: GuestImage,
    identity: GuestIdentity,
    host: GuestHost & PcDevices,
  ): Promise<PcGuest> {
    const { version, identityAt, disks, timeMs, held } = image.vcpu as PcState;
    if (version !== PC_STATE_VERSION) {
      throw new TypeError(`the snapshot is of ${version}, not ${PC_STATE_VERSION}`);
    }
    const { memoryBytes } = image;
    const time = new GuestTime(host.monotonicMs, timeMs);
    const pc = await Pc.make({ memoryBytes, disks, nowMs: time.now, host });
    await pc.restore(image.devices);
    pc.serial[0].held = held[0];
    pc.serial[1].held = held[1];
    const guest = new PcGuest(pc, time, host, memoryBytes, { disks, identityAt });
    guest.identify(identity);
    return guest;
  }

  async run(budgetMs: number): Promise<GuestExit> {
    this.#interrupted = false;
    this.#time.start();
    try {
      return await this.#loop(this.#host.monotonicMs() + budgetMs);
    } finally {
      this.#time.stop();
      for (const port of this.#pc.serial) port.flush();
    }
  }

  async #loop(endMs: number): Promise<GuestExit> {
    let breathMs = this.#host.monotonicMs();
    for (;;) {
      if (this.#death !== undefined) return this.#death;
      if (this.#interrupted) return { reason: "interrupted" };
      const nowMs = this.#host.monotonicMs();
      if (nowMs >= endMs) return { reason: "budget" };
      const waitMs = this.#pc.serial.some((port) => port.isFull) ? HELD_MS : this.#slice();
      for (const port of this.#pc.serial) port.flush();
      if (this.#death !== undefined) continue;
      if (waitMs > 0) await this.#host.idle(Math.min(waitMs, endMs - nowMs));
      else if (this.#host.monotonicMs() - breathMs >= BREATH_MS) await this.#host.idle(0);
      else continue;
      breathMs = this.#host.monotonicMs();
    }
  }

  /** Runs it for about a millisecond; how long it has nothing to do then, in milliseconds. */
  #slice(): number {
    const { cpu, serial } = this.#pc;
    for (const port of serial) port.feed();
    // Without this, one that often waits for its devices would not see their interrupts.
    cpu.handle_irqs();
    let idleMs: number;
    try {
      idleMs = cpu.main_loop();
    } catch {
      // A triple fault ends in a panic of v86, after which it is of no more use.
      const ip = getRegister(cpu, "ip").toString(16);
      this.#die({ reason: "dead", deathReason: `unhandled trap at 0x${ip}` });
      return 0;
    }
    const stop = this.#pc.takeStop();
    if (stop === "reboot") this.#die({ reason: "reboot" });
    if (stop === "halt") this.#die({ reason: "dead", deathReason: "powered off" });
    return cpu.in_hlt[0] === 0 ? 0 : idleMs;
  }

  #die(death: Death): void {
    this.#death ??= death;
  }

  interrupt(): void {
    this.#interrupted = true;
    this.#host.wake();
  }

  /** Resolves when the guest's UART has taken all bytes. */
  send(line: SerialLine, bytes: Uint8Array): Promise<void> {
    const sent = this.#pc.serial[line].send(bytes);
    this.#host.wake();
    return sent;
  }

  heard(line: SerialLine): void {
    this.#pc.serial[line].heard();
    this.#host.wake();
  }

  identify(identity: GuestIdentity): void {
    this.write(this.#identityAt, identityPage(identity));
  }

  get registers(): Registers {
    return allRegisters(this.#pc.cpu);
  }

  set(changes: RegisterChanges): void {
    for (const [name, value] of Object.entries(changes)) {
      setRegister(this.#pc.cpu, name as keyof RegisterChanges, Number(value));
    }
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#pc.cpu.mem8.slice(at, at + length);
  }

  write(at: number, bytes: Uint8Array): void {
    this.#pc.cpu.write_blob(bytes, at);
  }

  async capture(): Promise<GuestImage> {
    const devices = await this.#pc.save();
    const { serial } = this.#pc;
    const state: PcState = {
      version: PC_STATE_VERSION,
      identityAt: this.#identityAt,
      disks: this.#disks,
      timeMs: this.#time.now(),
      held: [serial[0].held, serial[1].held],
    };
    return {
      engine: ENGINE,
      memoryBytes: this.#memoryBytes,
      vcpu: state,
      abi: undefined,
      pages: new Uint32Array(),
      bytes: new Uint8Array(),
      devices,
    };
  }

  raise(): void {}

  attach(): void {}

  detach(): void {}
}
