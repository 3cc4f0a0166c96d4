import { PAGE_BYTES } from "../../core/limits.ts";
import type {
  GuestExit,
  GuestIdentity,
  GuestImage,
  GuestStart,
} from "../../core/ports/guest_engine.ts";
import { type AbiState, GuestAbi } from "../lguest/guest_abi.ts";
import { RunLoop } from "../lguest/run_loop.ts";
import type { EngineThread } from "../lguest/thread.ts";
import type { Cpu } from "./cpu.ts";
import { ENGINE, GuestOnThread } from "./guest_on_thread.ts";
import { bareMachine } from "./machine.ts";
import { type V86State, V86Vcpu } from "./vcpu.ts";

const WORDS_PER_PAGE = PAGE_BYTES / 4;

/** A bare guest on v86, inside its Worker. */
export class BareGuest extends GuestOnThread {
  readonly #vcpu: V86Vcpu;
  readonly #abi: GuestAbi;
  readonly #loop: RunLoop;

  private constructor(
    cpu: Cpu,
    memoryBytes: number,
    identity: GuestIdentity,
    thread: EngineThread,
  ) {
    super(cpu);
    this.#vcpu = new V86Vcpu(cpu, memoryBytes);
    this.#abi = new GuestAbi(this.#vcpu, identity, thread);
    this.#vcpu.gateOf = (vector) => this.#abi.interrupts.gate(vector);
    this.#loop = new RunLoop(thread, this.#abi, () => this.#vcpu.slice());
  }

  static async start(
    { memoryBytes, identity, load, start }: GuestStart,
    thread: EngineThread,
  ): Promise<BareGuest> {
    const guest = new BareGuest(await bareMachine(memoryBytes), memoryBytes, identity, thread);
    for (const { at, bytes } of load) guest.write(at, bytes);
    guest.#abi.start(start);
    return guest;
  }

  static async restore(
    { memoryBytes, pages, bytes, vcpu, abi }: GuestImage,
    identity: GuestIdentity,
    thread: EngineThread,
  ): Promise<BareGuest> {
    const guest = new BareGuest(await bareMachine(memoryBytes), memoryBytes, identity, thread);
    for (const [first, end] of runsOf(pages)) {
      const run = bytes.subarray(first * PAGE_BYTES, end * PAGE_BYTES);
      guest.write((pages[first] as number) * PAGE_BYTES, run);
    }
    guest.#vcpu.state = vcpu as V86State;
    guest.#abi.restore(abi as AbiState);
    return guest;
  }

  run(budgetMs: number): Promise<GuestExit> {
    return this.#loop.run(budgetMs);
  }

  interrupt(): void {
    this.#loop.interrupt();
  }

  raise(line: number): void {
    this.#loop.raise(line);
  }

  attach(address: number): void {
    this.#abi.doorbells.attach(address);
  }

  detach(address: number): void {
    // The loop has reported all counts before it let this call in.
    this.#abi.doorbells.detach(address);
  }

  identify(identity: GuestIdentity): void {
    this.#abi.identify(identity);
  }

  send(): Promise<void> {
    return Promise.reject(new TypeError("a bare guest has no serial lines"));
  }

  heard(): void {}

  capture(): GuestImage {
    const { memoryBytes } = this.#vcpu;
    const memory = this.cpu.mem8.subarray(0, memoryBytes);
    const view = new Int32Array(memory.buffer, memory.byteOffset, memoryBytes / 4);
    const pages: number[] = [];
    for (let page = 0; page < memoryBytes / PAGE_BYTES; page++) {
      if (!isZero(view, page * WORDS_PER_PAGE, (page + 1) * WORDS_PER_PAGE)) pages.push(page);
    }
    const bytes = new Uint8Array(pages.length * PAGE_BYTES);
    for (const [index, page] of pages.entries()) {
      bytes.set(memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), index * PAGE_BYTES);
    }
    return {
      engine: ENGINE,
      memoryBytes,
      vcpu: this.#vcpu.state,
      abi: this.#abi.state,
      pages: Uint32Array.from(pages),
      bytes,
      devices: new Uint8Array(),
    };
  }
}

/** Where pages follow each other without a gap, as half-open ranges of indexes. */
function* runsOf(pages: Uint32Array): Iterable<readonly [first: number, end: number]> {
  let first = 0;
  for (let end = 1; end <= pages.length; end++) {
    if (pages[end] === (pages[end - 1] as number) + 1) continue;
    yield [first, end];
    first = end;
  }
}

// A plain loop is many times as fast here as subarray() and some(), over 256 MiB.
function isZero(view: Int32Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if (view[at] !== 0) return false;
  }
  return true;
}
