import type { Descriptors } from "../../core/descriptors.ts";
import { Fault } from "../../core/faults.ts";
import { CACHE_BYTES_DEFAULT } from "../../core/limits.ts";
import type { BackingFile } from "../../core/ports/backing_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { EventSink } from "../../core/ports/events.ts";
import type { Random } from "../../core/ports/random.ts";
import type { RemoteFiles } from "../../core/ports/remote_files.ts";
import type { Spools } from "../../core/ports/spool.ts";
import { SystemError } from "../../core/system_error.ts";
import { Backing } from "../backing/backing.ts";
import { CacheBudget } from "../cache/cache_budget.ts";
import { CopyBuffers } from "../cache/copy_buffers.ts";
import { Counters } from "../cache/counters.ts";
import { CachedInode } from "../content/cached_inode.ts";
import type { CachingInode, InodeParts } from "../content/caching_inode.ts";
import { HostInode } from "../content/host_inode.ts";
import { type InodeIdentity, targetOf } from "../content/inode_facts.ts";
import { DirtyLog } from "../writeback/dirty_log.ts";
import type { RecoveryParts } from "../writeback/recovery.ts";

/** What the store needs from outside. */
export interface InodeStoreParts extends RecoveryParts {
  /** Where remote inodes come from. None can be opened without it. */
  readonly remotes?: RemoteFiles | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Where long bodies wait; in memory without it. */
  readonly spools?: Spools | undefined;
  /** What open inodes may take of the process's file descriptors; no bound without it. */
  readonly descriptors?: Descriptors | undefined;
  /** Budget of cached pages, in bytes. */
  readonly cacheBytes?: number;
}

/** A file that was opened to be an inode, or to find out which inode it is. */
export interface OpenedFile extends Pick<InodeParts, "isHidden" | "noatime" | "limitTranslation"> {
  readonly file: BackingFile;
  readonly identity: Omit<InodeIdentity, "id">;
}

const ID_BYTES = 6;

/** Puts inodes together: an opened file, its cache and its journal. */
export class InodeMaker {
  readonly budget: CacheBudget;
  /** Counts what all inodes do together. */
  readonly totals = new Counters();
  readonly #parts: InodeStoreParts;
  readonly #buffers = new CopyBuffers();

  constructor(parts: InodeStoreParts) {
    this.#parts = parts;
    this.budget = new CacheBudget(parts.cacheBytes ?? CACHE_BYTES_DEFAULT);
  }

  /**
   * @param key Names the file
   * @throws {Fault} `state-unavailable` when the cache file or the journal cannot be made
   */
  async make({ file, ...opened }: OpenedFile, key: string): Promise<CachingInode> {
    const { clock, events, random } = this.#parts;
    // Never an id that was used before, so that a late request meets no other file.
    const id = random.bytes(ID_BYTES).toHex();
    const about = targetOf(opened.identity);
    const parts: InodeParts = {
      ...opened,
      identity: { id, ...opened.identity },
      key,
      backing: new Backing(file, opened.identity.path),
      counters: new Counters(this.totals),
      clock,
      emit: (fact) => events.emit({ ...fact, subject: id }, { about }),
    };
    return opened.identity.cache === "host" ? new HostInode(parts) : await this.#makeCached(parts);
  }

  async #makeCached(parts: InodeParts): Promise<CachedInode> {
    const { caches, journals, bootId } = this.#parts;
    const { id, root, path, access } = parts.identity;
    const attributes = parts.backing.file.attributes();
    const { device, inode } = attributes;
    const journal = access === "rw" && root !== undefined
      ? await journals.create(id, { bootId, root, path, device, inode }).catch(stateUnavailable)
      : undefined;
    try {
      return new CachedInode({
        ...parts,
        file: await caches.create(id),
        dirty: new DirtyLog(journal, this.budget, attributes),
        budget: this.budget,
        buffers: this.#buffers,
      });
    } catch (error) {
      await journal?.close();
      await journals.remove(id).catch(() => {});
      return stateUnavailable(error);
    }
  }
}

function stateUnavailable(cause: unknown): never {
  if (!(cause instanceof SystemError)) throw cause;
  throw new Fault(
    "state-unavailable",
    `Cannot make a cache: ${cause.message}; free space in the state folder`,
    { cause },
  );
}
