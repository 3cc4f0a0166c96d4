import { commit } from "../../core/commit.ts";
import { isSameText } from "../../core/constant_time.ts";
import type { Ledger, LedgerEntry } from "../../core/ports/ledger.ts";

/** Whose a snapshot is. */
interface SnapshotOwner {
  /** The guest that it was taken of. */
  readonly guest: string;
  /** SHA-256 of the owner's token in hex; none when nobody owned the guest. */
  readonly tokenHash?: string | undefined;
}

/**
 * Whose each snapshot is, in the ledger: a snapshot outlives its guest, and so does what protects it
 * (docs/access.md#6). Snapshots of earlier versions have no owner.
 */
export class SnapshotOwners {
  readonly #ledger: Ledger;
  readonly #owners = new Map<string, SnapshotOwner>();

  private constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Reads them back. */
  static async open(ledger: Ledger): Promise<SnapshotOwners> {
    const owners = new SnapshotOwners(ledger);
    for (const { id, body } of await ledger.load("snapshot-owner")) {
      owners.#owners.set(id, body as SnapshotOwner);
    }
    return owners;
  }

  /** The guest of a snapshot, where it is known. */
  guestOf(id: string): string | undefined {
    return this.#owners.get(id)?.guest;
  }

  /** Whether a token is the owner's; any is where nobody owns the snapshot. */
  async matches(id: string, token: string | undefined): Promise<boolean> {
    const tokenHash = this.#owners.get(id)?.tokenHash;
    if (tokenHash === undefined) return true;
    return token !== undefined && isSameText(await hashOf(token), tokenHash);
  }

  /** Remembers whose a snapshot is that is about to be stored. */
  async add(id: string, guest: string, token: string | undefined): Promise<void> {
    const tokenHash = token === undefined ? undefined : await hashOf(token);
    await commit(this.#ledger, [entryOf(id, { guest, tokenHash })]);
    this.#owners.set(id, { guest, tokenHash });
  }

  /** Gives all snapshots of one owner to another. */
  async change(before: string, after: string): Promise<void> {
    const [from, tokenHash] = await Promise.all([hashOf(before), hashOf(after)]);
    const changed = [...this.#owners].filter(([, owner]) => owner.tokenHash === from)
      .map(([id, owner]) => [id, { ...owner, tokenHash }] as const);
    if (changed.length === 0) return;
    await commit(this.#ledger, changed.map(([id, owner]) => entryOf(id, owner)));
    for (const [id, owner] of changed) this.#owners.set(id, owner);
  }

  /** Forgets a snapshot that is gone. */
  async forget(id: string): Promise<void> {
    if (!this.#owners.has(id)) return;
    await commit(this.#ledger, [entryOf(id, undefined)]);
    this.#owners.delete(id);
  }

  /** Forgets all but these, which are still stored. */
  async forgetOthers(ids: readonly string[]): Promise<void> {
    const gone = [...this.#owners.keys()].filter((id) => !ids.includes(id));
    for (const id of gone) await this.forget(id);
  }
}

function entryOf(id: string, body: SnapshotOwner | undefined): LedgerEntry {
  return { kind: "snapshot-owner", id, body };
}

async function hashOf(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return new Uint8Array(digest).toHex();
}
