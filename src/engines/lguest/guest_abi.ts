import { PAGE_BYTES } from "../../core/limits.ts";
import { AsyncRing, RING_BYTES, RING_SLOTS } from "./async_ring.ts";
import { DATA_PAGE_BYTES, DataPage, IF } from "./data_page.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Death, GuestIdentity } from "../../core/ports/guest_engine.ts";
import { Doorbells } from "./doorbells.ts";
import {
  ABI_VERSION,
  HYPERCALL,
  type HypercallArguments,
  IGNORED_VECTORS,
  SHUTDOWN_MESSAGE_BYTES,
  SHUTDOWN_RESTART,
  STACK_PAGES_MAX,
  VECTORS,
} from "./hypercalls.ts";
import { BadWrite, Interrupts, type InterruptState } from "./interrupts.ts";
import type { Vcpu } from "./vcpu.ts";

/** What the host must remember of a guest beside its vCPU and memory, as JSON for a snapshot. */
export interface AbiState {
  /** Address of the shared page, `undefined` before LGUEST_INIT. */
  readonly dataPage?: number;
  readonly interrupts: InterruptState;
  /** Nanoseconds until the clock event, `undefined` when none is set. */
  readonly clockNs?: string;
  /** Set when a hypercall was made that has not been done yet. */
  readonly callPending?: true;
  /** The slot of the ring of queued hypercalls to look at next, `undefined` for the first. */
  readonly nextSlot?: number;
}

const NS_PER_MS = 1e6;
const hex = (value: number): string => `0x${value.toString(16)}`;

/**
 * The host's half of the guest ABI (docs/guests.md#abi), on a stopped vCPU: hypercalls, interrupt
 * delivery, the clock event and the reason of death (lguest's do_hcall() and run_guest()).
 */
export class GuestAbi {
  readonly interrupts = new Interrupts();
  readonly doorbells = new Doorbells();
  readonly #vcpu: Vcpu;
  readonly #clock: Pick<Clock, "wallNs" | "monotonicMs">;
  #identity: GuestIdentity;
  #page: DataPage | undefined;
  #callPending = false;
  #nextSlot = 0;
  #clockAtMs: number | undefined;
  #death: Death | undefined;

  constructor(vcpu: Vcpu, identity: GuestIdentity, clock: Pick<Clock, "wallNs" | "monotonicMs">) {
    this.#vcpu = vcpu;
    this.#identity = identity;
    this.#clock = clock;
  }

  /** Prepares the first instruction: eax holds the ABI's version, esi the boot block's address. */
  start(ip: number): void {
    this.#vcpu.set("ip", ip);
    this.#vcpu.set("ax", ABI_VERSION);
    this.#vcpu.set("si", 0);
    this.#vcpu.set("flags", IF | 2);
  }

  /** Continues from a snapshot. The shared page gets this guest's own identity. */
  restore(state: AbiState): void {
    this.interrupts.state = state.interrupts;
    if (state.dataPage !== undefined) {
      this.#page = new DataPage(this.#vcpu, state.dataPage);
      this.#page.writeIdentity(this.#identity);
    }
    if (state.clockNs !== undefined) this.#setClock(Number(state.clockNs));
    this.#callPending = state.callPending ?? false;
    this.#nextSlot = state.nextSlot ?? 0;
  }

  /** Shows the guest another generation of its scope, from its next instruction on. */
  identify(identity: GuestIdentity): void {
    this.#identity = identity;
    this.#page?.writeIdentity(identity);
  }

  /** What a snapshot needs of this. */
  get state(): AbiState {
    return {
      ...(this.#page === undefined ? {} : { dataPage: this.#page.at }),
      interrupts: this.interrupts.state,
      // At least 1, because an event that is due now must not become 0, which means none.
      ...(this.#clockAtMs === undefined
        ? {}
        : { clockNs: String(Math.max(1, Math.ceil(this.#clockLeftNs))) }),
      ...(this.#callPending ? { callPending: true } : {}),
      ...(this.#nextSlot === 0 ? {} : { nextSlot: this.#nextSlot }),
    };
  }

  /** Why the guest is dead, `undefined` while it lives. */
  get death(): Death | undefined {
    return this.#death;
  }

  /** Milliseconds until the clock event, infinite when none is set. */
  get clockLeftMs(): number {
    return this.#clockLeftNs / NS_PER_MS;
  }

  get #clockLeftNs(): number {
    return this.#clockAtMs === undefined
      ? Infinity
      : Math.max(0, (this.#clockAtMs - this.#clock.monotonicMs()) * NS_PER_MS);
  }

  /** Ends the guest. Later reasons are ignored. */
  die(deathReason: string): void {
    this.#death ??= { reason: "dead", deathReason };
  }

  /**
   * Does what comes before the guest is entered: raises the clock event when it is due, and
   * delivers one interrupt.
   *
   * @returns Whether to enter the guest; `false` when it is dead or halted
   */
  prepareEntry(): boolean {
    if (this.#clockAtMs !== undefined && this.#clockLeftNs === 0) {
      this.#clockAtMs = undefined;
      this.interrupts.raise(0);
    }
    try {
      this.interrupts.deliver(this.#vcpu, this.#page, this.#clock.wallNs());
    } catch (error) {
      if (!(error instanceof BadWrite)) throw error;
      this.die(error.message);
    }
    return this.#death === undefined && !this.interrupts.halted;
  }

  /** Whether a hypercall was made that has not been done yet. */
  get callPending(): boolean {
    return this.#callPending;
  }

  /** The guest has rung the doorbell, so the call in its registers must be done. */
  called(): void {
    this.#callPending = true;
  }

  /**
   * Does the calls in the ring, then the one that eax, ebx, ecx and edx hold. It stops at a NOTIFY
   * that ends the run and leaves the rest for the next time, so that a run that ends neither loses
   * nor repeats a call (lguest's do_hypercalls()).
   *
   * @returns The value of a NOTIFY that ends the run, else `undefined`
   */
  doCalls(): number | undefined {
    const queued = this.#page === undefined ? undefined : this.#doQueued(this.#page);
    if (queued !== undefined || this.#death !== undefined) return queued;
    this.#callPending = false;
    return this.#do({
      number: this.#vcpu.get("ax"),
      first: this.#vcpu.get("bx"),
      second: this.#vcpu.get("cx"),
      third: this.#vcpu.get("dx"),
    });
  }

  #doQueued(page: DataPage): number | undefined {
    const at = page.asyncRing;
    if (at === 0) return undefined;
    if (at + RING_BYTES > this.#vcpu.memoryBytes) {
      this.die("Fetching async hypercalls");
      return undefined;
    }
    const ring = new AsyncRing(this.#vcpu, at);
    for (let done = 0; done < RING_SLOTS; done++) {
      const slot = this.#nextSlot;
      if (!ring.isFilled(slot)) break;
      this.#nextSlot = (slot + 1) % RING_SLOTS;
      const notify = this.#do(ring.call(slot));
      ring.empty(slot);
      if (notify !== undefined || this.#death !== undefined) return notify;
    }
    return undefined;
  }

  #do({ number, first, second, third }: HypercallArguments): number | undefined {
    if (number === HYPERCALL.LGUEST_INIT) this.#initialize(first);
    else if (this.#page === undefined) this.die(`hypercall ${number | 0} before INIT`);
    else if (number === HYPERCALL.NOTIFY) return this.#notify(first);
    else if (number === HYPERCALL.SHUTDOWN) this.#shutdown(first, second);
    else if (number === HYPERCALL.LOAD_IDT_ENTRY) this.#loadGate(first, second, third);
    else if (number === HYPERCALL.SET_STACK) this.#setStack(first, second, third);
    else if (number === HYPERCALL.SET_CLOCKEVENT) this.#setClock(first);
    else if (number === HYPERCALL.HALT) this.interrupts.halted = true;
    else if (number !== HYPERCALL.FLUSH_ASYNC && number !== HYPERCALL.SEND_INTERRUPTS) {
      this.die(`Bad hypercall ${number | 0}`);
    }
    return undefined;
  }

  #notify(address: number): number | undefined {
    return address === 0 || this.doorbells.ring(address) ? undefined : address;
  }

  #initialize(at: number): void {
    if (this.#page !== undefined) return this.die("already have lguest_data");
    if (at + DATA_PAGE_BYTES > this.#vcpu.memoryBytes) return this.die(`bad guest page ${hex(at)}`);
    this.#page = new DataPage(this.#vcpu, at);
    this.#page.writeTime(this.#clock.wallNs());
    this.#page.writeIdentity(this.#identity);
  }

  #shutdown(at: number, how: number): void {
    if (at + SHUTDOWN_MESSAGE_BYTES > this.#vcpu.memoryBytes) {
      return this.die(`bad read address ${hex(at)} len ${SHUTDOWN_MESSAGE_BYTES}`);
    }
    if (how === SHUTDOWN_RESTART) {
      this.#death ??= { reason: "reboot" };
      return;
    }
    const bytes = this.#vcpu.read(at, SHUTDOWN_MESSAGE_BYTES - 1);
    const end = bytes.indexOf(0);
    const message = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    this.die(`CRASH: ${message}`);
  }

  #loadGate(vector: number, low: number, high: number): void {
    if (IGNORED_VECTORS.has(vector)) return;
    if (vector >= VECTORS) return this.die(`Setting idt entry ${vector}`);
    const present = (high & 0x8000) !== 0;
    if (!present) return this.interrupts.setGate(vector, undefined);
    const type = (high >>> 8) & 0xf;
    if (type !== 0xe && type !== 0xf) return this.die(`bad IDT type ${type}`);
    const handler = ((high & 0xffff_0000) | (low & 0xffff)) >>> 0;
    this.interrupts.setGate(vector, { handler, masks: type === 0xe });
  }

  #setStack(segment: number, pointer: number, pages: number): void {
    if ((segment & 3) !== 0) return this.die(`bad stack segment ${segment}`);
    if (pages > STACK_PAGES_MAX) return this.die(`bad stack pages ${pages}`);
    if (pointer > this.#vcpu.memoryBytes || pages * PAGE_BYTES > pointer) {
      return this.die(`bad stack page ${hex(pointer)}`);
    }
    this.interrupts.stack = { segment: segment & 0xffff, pointer };
  }

  #setClock(deltaNs: number): void {
    this.#clockAtMs = deltaNs === 0 ? undefined : this.#clock.monotonicMs() + deltaNs / NS_PER_MS;
  }
}
