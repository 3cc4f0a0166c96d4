import { INTERRUPT_LINES } from "../../core/limits.ts";
import { type DataPage, IF } from "./data_page.ts";
import type { Vcpu } from "./vcpu.ts";

/** A handler that the guest has set with LOAD_IDT_ENTRY. */
export interface Gate {
  readonly handler: number;
  /** Type E: interrupts are off while the handler runs. Type F: they stay on. */
  readonly masks: boolean;
}

/** Vector of interrupt line 0; the others follow (lguest's FIRST_EXTERNAL_VECTOR). */
const FIRST_LINE_VECTOR = 32;

/** Selector of the flat ring 0 code segment. */
export const KERNEL_CS = 0x08;

/** What the host must remember of a guest's interrupts, as JSON for a snapshot. */
export interface InterruptState {
  readonly pending: number;
  readonly halted: boolean;
  readonly gates: readonly (readonly [vector: number, handler: number, masks: boolean])[];
  readonly stackSegment: number;
  readonly stackPointer: number;
}

/** The guest's stack pointer leads out of its memory. */
export class BadWrite extends Error {
  override readonly name = "BadWrite";

  constructor(readonly at: number, readonly length: number) {
    super(`bad write address 0x${at.toString(16)} len ${length}`);
  }
}

/**
 * Interrupt lines of one guest: which are pending, and how one is delivered (lguest's
 * set_interrupt(), interrupt_pending() and try_deliver_interrupt()).
 */
export class Interrupts {
  #pending = 0;
  halted = false;
  readonly #gates = new Map<number, Gate>();
  /** Stack of ring 0, for interrupts that come while the guest runs in ring 3. */
  stack = { segment: 0, pointer: 0 };

  /** Makes a line pending; a line that is pending already stays so. */
  raise(line: number): void {
    if (!Number.isInteger(line) || line < 0 || line >= INTERRUPT_LINES) {
      throw new RangeError(`Cannot raise line ${line}: there are lines 0 to 31`);
    }
    this.#pending |= 1 << line;
  }

  isPending(line: number): boolean {
    return (this.#pending & (1 << line)) !== 0;
  }

  /** Sets or, with `undefined`, removes the handler of a vector. */
  setGate(vector: number, gate: Gate | undefined): void {
    if (gate === undefined) this.#gates.delete(vector);
    else this.#gates.set(vector, gate);
  }

  /** The handler of a vector. */
  gate(vector: number): Gate | undefined {
    return this.#gates.get(vector);
  }

  /**
   * Delivers the lowest pending line that is not blocked, if the guest can take it now. A halted
   * guest is woken even when no handler is set for the line. The stack pointer is taken as a
   * guest-physical address, so a guest that uses paging must map its stack one to one.
   *
   * @param page The guest's shared page, `undefined` before LGUEST_INIT: then nothing is delivered
   * @param wallNs The time that the handler will see
   * @throws {BadWrite} when the guest's stack pointer leads out of its memory
   */
  deliver(vcpu: Vcpu, page: DataPage | undefined, wallNs: bigint): void {
    if (page === undefined) return;
    const ready = this.#pending & ~page.blockedInterrupts;
    if (ready === 0 || page.isNoirq(vcpu.get("ip"))) return;
    if (this.halted) {
      page.irqEnabled = true;
      this.halted = false;
    } else if (!page.irqEnabled) {
      page.irqPending = true;
      return;
    }
    const line = 31 - Math.clz32(ready & -ready);
    const gate = this.#gates.get(FIRST_LINE_VECTOR + line);
    if (gate !== undefined) {
      this.#pending &= ~(1 << line);
      this.#enter(vcpu, page, gate);
    }
    page.writeTime(wallNs);
    if ((ready & ~(1 << line)) === 0) page.irqPending = false;
  }

  #enter(vcpu: Vcpu, page: DataPage, gate: Gate): void {
    const flags = (vcpu.get("flags") & ~IF | (page.irqEnabled ? IF : 0)) >>> 0;
    const fromUser = (vcpu.get("cs") & 3) !== 0;
    const frame = [vcpu.get("ip"), vcpu.get("cs"), flags];
    let sp = vcpu.get("sp");
    if (fromUser) {
      frame.push(sp, vcpu.get("ss"));
      sp = this.stack.pointer;
    }
    sp = (sp - frame.length * 4) >>> 0;
    if (sp + frame.length * 4 > vcpu.memoryBytes) throw new BadWrite(sp, frame.length * 4);
    for (const [index, word] of frame.entries()) vcpu.writeU32(sp + index * 4, word);
    if (fromUser) vcpu.enterKernel(this.stack.segment);
    vcpu.set("sp", sp);
    vcpu.set("ip", gate.handler);
    if (gate.masks) page.irqEnabled = false;
  }

  /** What a snapshot needs of this. */
  get state(): InterruptState {
    return {
      pending: this.#pending >>> 0,
      halted: this.halted,
      gates: [...this.#gates].map(([vector, { handler, masks }]) => [vector, handler, masks]),
      stackSegment: this.stack.segment,
      stackPointer: this.stack.pointer,
    };
  }

  set state(state: InterruptState) {
    this.#pending = state.pending;
    this.halted = state.halted;
    this.#gates.clear();
    for (const [vector, handler, masks] of state.gates) this.#gates.set(vector, { handler, masks });
    this.stack = { segment: state.stackSegment, pointer: state.stackPointer };
  }
}
