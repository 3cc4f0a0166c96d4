/**
 * The ring in which a guest queues hypercalls (lguest's `hcall_status` and `hcalls`). The host does
 * them before the guest's next direct call. The ring's address stands in the data page. Numbers
 * are little-endian.
 *
 * | offset | field |
 * |---|---|
 * | 0 | status of 64 slots, one byte each: 0xff is empty, anything else is a call to do |
 * | 64 | 64 slots of five words: number, then the arguments that ebx, ecx, edx and esi would hold |
 *
 * @module
 */
import type { HypercallArguments } from "./hypercalls.ts";
import type { Vcpu } from "./vcpu.ts";

/** Slots of the ring (lguest's LHCALL_RING_SIZE). */
export const RING_SLOTS = 64;
/** Status of a slot without a call. */
const SLOT_EMPTY = 0xff;
const SLOT_BYTES = 20;
/** Size of the ring, in bytes. */
export const RING_BYTES = RING_SLOTS + RING_SLOTS * SLOT_BYTES;

/** A view of the ring in a guest's memory. */
export class AsyncRing {
  readonly #vcpu: Vcpu;
  readonly #at: number;

  /** @param at Physical address of the ring. The caller has checked that all of it is in memory */
  constructor(vcpu: Vcpu, at: number) {
    this.#vcpu = vcpu;
    this.#at = at;
  }

  /** Whether the slot holds a call. */
  isFilled(slot: number): boolean {
    return this.#vcpu.read(this.#at + slot, 1)[0] !== SLOT_EMPTY;
  }

  call(slot: number): HypercallArguments {
    const bytes = this.#vcpu.read(this.#at + RING_SLOTS + slot * SLOT_BYTES, SLOT_BYTES);
    const view = new DataView(bytes.buffer);
    const word = (index: number): number => view.getUint32(index * 4, true);
    return { number: word(0), first: word(1), second: word(2), third: word(3) };
  }

  /** Marks the slot as done, which the guest can see. */
  empty(slot: number): void {
    this.#vcpu.write(this.#at + slot, Uint8Array.of(SLOT_EMPTY));
  }
}
