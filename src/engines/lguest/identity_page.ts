/**
 * The page in which a PC finds its identity, since it has no data page of the guest ABI
 * (docs/guests.md#identity). The whole page is written between two instructions of the guest, so
 * the guest never sees half of it. Numbers are little-endian.
 *
 * | offset | field |
 * |---|---|
 * | 0 | magic `INNKEEP1` |
 * | 8 | generation of the guest's scope, 32 bits |
 * | 12 | zero |
 * | 16 | epoch of the guest's scope, 64 bits |
 * | 24 | unique of the guest's scope, 16 bytes |
 *
 * @module
 */
import type { GuestIdentity } from "../../core/ports/guest_engine.ts";

/** Size of the fields, in bytes. */
const IDENTITY_BYTES = 40;

const MAGIC = new TextEncoder().encode("INNKEEP1");

/** The fields of the page. */
export function identityPage({ generation, epoch, unique }: GuestIdentity): Uint8Array {
  const bytes = new Uint8Array(IDENTITY_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, generation, true);
  view.setBigUint64(16, epoch, true);
  bytes.set(Uint8Array.fromHex(unique), 24);
  return bytes;
}
