/**
 * The page that a guest shares with its host (lguest's `lguest_data`, docs/guests.md#data-page). A
 * guest names its address with LGUEST_INIT. Numbers are little-endian.
 *
 * | offset | field | written by |
 * |---|---|---|
 * | 0 | irqEnabled: 0x200 when interrupts may be delivered, else 0 | both |
 * | 4 | irqPending: 0x200 when an interrupt waits for irqEnabled | host |
 * | 8 | blockedInterrupts: one bit a line | guest |
 * | 12, 16 | noirqStart, noirqEnd: no delivery while ip is in [start, end) | guest |
 * | 20 | asyncRing: address of the ring of queued hypercalls, 0 for none | guest |
 * | 24, 32 | time: seconds (64 bits) and nanoseconds (32 bits) since 1970 | host |
 * | 36 | generation of the guest's scope | host |
 * | 40 | epoch of the guest's scope (64 bits) | host |
 * | 48 | unique of the guest's scope, 16 bytes | host |
 *
 * @module
 */
import type { GuestIdentity } from "../../core/ports/guest_engine.ts";
import type { Vcpu } from "./vcpu.ts";

/** Size of the fields, in bytes. */
export const DATA_PAGE_BYTES = 64;
/** The interrupt flag of the flags register, and the value of "on" in the data page. */
export const IF = 0x200;

const NS_PER_SECOND = 1_000_000_000n;

/** A view of the shared page in a guest's memory. */
export class DataPage {
  readonly #vcpu: Vcpu;

  /** @param at Physical address of the page. The caller has checked that it is in memory */
  constructor(vcpu: Vcpu, readonly at: number) {
    this.#vcpu = vcpu;
  }

  get irqEnabled(): boolean {
    return this.#vcpu.readU32(this.at) !== 0;
  }

  set irqEnabled(on: boolean) {
    this.#vcpu.writeU32(this.at, on ? IF : 0);
  }

  set irqPending(on: boolean) {
    this.#vcpu.writeU32(this.at + 4, on ? IF : 0);
  }

  get blockedInterrupts(): number {
    return this.#vcpu.readU32(this.at + 8);
  }

  /** Whether the guest forbids the delivery of interrupts at this instruction. */
  isNoirq(ip: number): boolean {
    return ip >= this.#vcpu.readU32(this.at + 12) && ip < this.#vcpu.readU32(this.at + 16);
  }

  /** Address of the ring of queued hypercalls, 0 when there is none. */
  get asyncRing(): number {
    return this.#vcpu.readU32(this.at + 20);
  }

  /** Writes the time stamp. */
  writeTime(wallNs: bigint): void {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, wallNs / NS_PER_SECOND, true);
    view.setUint32(8, Number(wallNs % NS_PER_SECOND), true);
    this.#vcpu.write(this.at + 24, bytes);
  }

  /** Writes generation, epoch and unique in one piece. */
  writeIdentity(identity: GuestIdentity): void {
    const bytes = new Uint8Array(28);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, identity.generation, true);
    view.setBigUint64(4, identity.epoch, true);
    bytes.set(Uint8Array.fromHex(identity.unique), 12);
    this.#vcpu.write(this.at + 36, bytes);
  }
}
