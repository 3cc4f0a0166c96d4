import type {
  Death,
  GuestExit,
  GuestIdentity,
  GuestImage,
  GuestStart,
  PcShape,
} from "../../core/ports/guest_engine.ts";
import type { DiskShape, PcDevices, SerialLine } from "../../core/ports/pc_devices.ts";
import { identityPage } from "../lguest/identity_page.ts";
import type { EngineThread } from "../lguest/thread.ts";
import { ENGINE, GuestOnThread } from "./guest_on_thread.ts";
import { GuestTime } from "./guest_time.ts";
import { Pc } from "./pc.ts";
import { getRegister, resetFlat, setRegister } from "./registers.ts";

const [BOOT_CS, BOOT_DS] = [0x10, 0x18];
/** The guest runs at most this long before messages are let in, in milliseconds. */
const BREATH_MS = 1;
/** How often a guest that waits for the host to take its output is looked at, in milliseconds. */
const HELD_MS = 10;

/** The state of a PC in a snapshot, beside v86's own. */
interface PcState {
  readonly version: string;
  readonly identityAt: number;
  readonly disks: readonly DiskShape[];
  readonly timeMs: number;
  /** The bytes that each UART held for the guest. */
  readonly held: readonly [readonly number[], readonly number[]];
}

/** Version of v86's own state. Another version of v86 cannot read it. */
export const PC_STATE_VERSION = "v86 0.5.462";

/** A PC on v86, inside its Worker. */
export class PcGuest extends GuestOnThread {
  readonly #pc: Pc;
  readonly #time: GuestTime;
  readonly #thread: EngineThread;
  readonly #memoryBytes: number;
  readonly #shape: Pick<PcShape, "disks" | "identityAt">;
  #death: Death | undefined;
  #interrupted = false;

  private constructor(
    pc: Pc,
    time: GuestTime,
    thread: EngineThread,
    memoryBytes: number,
    shape: Pick<PcShape, "disks" | "identityAt">,
  ) {
    super(pc.cpu);
    this.#pc = pc;
    this.#time = time;
    this.#thread = thread;
    this.#memoryBytes = memoryBytes;
    this.#shape = shape;
  }

  static async start(
    { memoryBytes, start, load, identity }: GuestStart,
    shape: PcShape,
    thread: EngineThread,
    devices: PcDevices,
  ): Promise<PcGuest> {
    const time = new GuestTime(thread.monotonicMs);
    const pc = await Pc.make({ memoryBytes, disks: shape.disks, nowMs: time.now, devices });
    const { cpu } = pc;
    for (const { at, bytes } of load) cpu.write_blob(bytes, at);
    pc.setUpPci();
    resetFlat(cpu, BOOT_CS, BOOT_DS);
    cpu.gdtr_offset[0] = shape.gdt.at;
    cpu.gdtr_size[0] = shape.gdt.limit;
    setRegister(cpu, "ip", start);
    setRegister(cpu, "si", shape.bootParams);
    const guest = new PcGuest(pc, time, thread, memoryBytes, shape);
    guest.identify(identity);
    return guest;
  }

  static async restore(
    { memoryBytes, vcpu, devices: state }: GuestImage,
    identity: GuestIdentity,
    thread: EngineThread,
    devices: PcDevices,
  ): Promise<PcGuest> {
    const { version, identityAt, disks, timeMs, held } = vcpu as PcState;
    if (version !== PC_STATE_VERSION) {
      throw new TypeError(`the snapshot is of ${version}, not ${PC_STATE_VERSION}`);
    }
    const time = new GuestTime(thread.monotonicMs, timeMs);
    const pc = await Pc.make({ memoryBytes, disks, nowMs: time.now, devices });
    await pc.restore(state);
    for (const line of [0, 1] as const) pc.serial[line].held = held[line];
    const guest = new PcGuest(pc, time, thread, memoryBytes, { disks, identityAt });
    guest.identify(identity);
    return guest;
  }

  async run(budgetMs: number): Promise<GuestExit> {
    this.#interrupted = false;
    this.#time.start();
    try {
      return await this.#loop(this.#thread.monotonicMs() + budgetMs);
    } finally {
      this.#time.stop();
      for (const port of this.#pc.serial) port.flush();
    }
  }

  async #loop(endMs: number): Promise<GuestExit> {
    let breathMs = this.#thread.monotonicMs();
    for (;;) {
      if (this.#death !== undefined) return this.#death;
      if (this.#interrupted) return { reason: "interrupted" };
      const nowMs = this.#thread.monotonicMs();
      if (nowMs >= endMs) return { reason: "budget" };
      const waitMs = this.#pc.serial.some((port) => port.isFull) ? HELD_MS : this.#slice();
      for (const port of this.#pc.serial) port.flush();
      if (this.#death !== undefined) continue;
      if (waitMs > 0) await this.#thread.idle(Math.min(waitMs, endMs - nowMs));
      else if (this.#thread.monotonicMs() - breathMs >= BREATH_MS) await this.#thread.idle(0);
      else continue;
      breathMs = this.#thread.monotonicMs();
    }
  }

  /**
   * Runs it for about a millisecond.
   *
   * @returns For how long it has nothing to do, in milliseconds
   */
  #slice(): number {
    const { cpu, serial } = this.#pc;
    for (const port of serial) port.feed();
    // Without this, a guest that often waits for its devices would miss their interrupts.
    cpu.handle_irqs();
    let idleMs: number;
    try {
      idleMs = cpu.main_loop();
    } catch {
      // A triple fault ends in a panic of v86, which cannot run on after that.
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
    this.#thread.wake();
  }

  /** Resolves when the guest's UART has taken all bytes. */
  send(line: SerialLine, bytes: Uint8Array): Promise<void> {
    const sent = this.#pc.serial[line].send(bytes);
    this.#thread.wake();
    return sent;
  }

  heard(line: SerialLine): void {
    this.#pc.serial[line].heard();
    this.#thread.wake();
  }

  identify(identity: GuestIdentity): void {
    this.write(this.#shape.identityAt, identityPage(identity));
  }

  async capture(): Promise<GuestImage> {
    const devices = await this.#pc.save();
    const { serial } = this.#pc;
    const state: PcState = {
      version: PC_STATE_VERSION,
      identityAt: this.#shape.identityAt,
      disks: this.#shape.disks,
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
