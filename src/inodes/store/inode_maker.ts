import { Fault } from "../../core/faults.ts";
import type { BackingFile } from "../../core/ports/backing_file.ts";
import type { CacheFiles } from "../../core/ports/cache_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { EventFact, EventSink } from "../../core/ports/events.ts";
import type { Journals } from "../../core/ports/journal.ts";
import type { Random } from "../../core/ports/random.ts";
import type { Range } from "../../core/segments.ts";
import { SystemError } from "../../core/system_error.ts";
import { Backing } from "../backing/backing.ts";
import type { CacheBudget } from "../cache/cache_budget.ts";
import { CachedContent, type CachedContentParts } from "../content/cached_content.ts";
import { CachingInode, type InodeIdentity } from "./caching_inode.ts";
import type { Content } from "../content/content.ts";
import { CopyBuffers } from "../cache/copy_buffers.ts";
import { Counters } from "../cache/counters.ts";
import { DirtyLog } from "../writeback/dirty_log.ts";
import { HostContent } from "../content/host_content.ts";
import { MappedPages } from "../mapping/mapped_pages.ts";

/** What inodes are put together from. */
interface InodeMakerParts {
  readonly caches: CacheFiles;
  readonly journals: Journals;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Names this boot of the host. */
  readonly bootId: string;
  readonly budget: CacheBudget;
  /** Counts what all inodes do together. */
  readonly totals: Counters;
}

/** A file that was opened to become an inode, or to find the inode that it is already. */
export interface OpenedFile {
  readonly file: BackingFile;
  readonly identity: Omit<InodeIdentity, "id">;
  readonly isHidden: boolean;
  readonly noatime: boolean;
  readonly limitTranslation: boolean;
}

const ID_BYTES = 6;

/** Puts inodes together: an opened file, its cache and journal, and whom to tell. */
export class InodeMaker {
  readonly #parts: InodeMakerParts;
  readonly #buffers = new CopyBuffers();

  constructor(parts: InodeMakerParts) {
    this.#parts = parts;
  }

  /** @throws {Fault} `state-unavailable` when the cache file or the journal cannot be made */
  async make(opened: OpenedFile & { key: string }): Promise<CachingInode> {
    const { clock, events, totals } = this.#parts;
    const id = this.#newId();
    const counters = new Counters(totals);
    const maps = new MappedPages();
    const emit = (fact: Omit<EventFact, "subject">) => events.emit({ ...fact, subject: id });
    const made: { inode?: CachingInode } = {};
    const parts = {
      backing: new Backing(opened.file, opened.identity.path),
      counters,
      clock,
      maps,
      noatime: opened.noatime,
      limitTranslation: opened.limitTranslation,
      isWritable: opened.identity.access === "rw",
      onInvalid: (range: Range, reason: string) => {
        if (reason === "changed-outside") emit({ kind: "inode.changed", reason });
        made.inode?.mappings.invalidate(range, reason);
      },
      onFailure: ({ code, message }: Fault) => {
        emit({ kind: "inode.failed", reason: message, data: { code } });
      },
    };
    const content = opened.identity.cache === "host"
      ? new HostContent(parts)
      : await this.#cachedContent(id, opened, parts);
    const identity = { id, ...opened.identity };
    const { key, isHidden } = opened;
    return made.inode = new CachingInode({
      ...{ identity, key, isHidden, content, maps, counters, emit },
    });
  }

  async #cachedContent(
    id: string,
    { file, identity: { root, path, access } }: OpenedFile,
    parts: Omit<CachedContentParts, "file" | "dirty" | "budget" | "buffers">,
  ): Promise<Content> {
    const { budget, caches, journals, bootId } = this.#parts;
    const attributes = file.attributes();
    const { device, inode } = attributes;
    const journal = access === "rw" && root !== undefined
      ? await journals.create(id, { bootId, root, path, device, inode }).catch(stateUnavailable)
      : undefined;
    try {
      return new CachedContent({
        ...parts,
        file: await caches.create(id),
        dirty: new DirtyLog(journal, budget, attributes),
        budget,
        buffers: this.#buffers,
      });
    } catch (error) {
      await journal?.close();
      await journals.remove(id).catch(() => {});
      return stateUnavailable(error);
    }
  }

  /** Random, so that a late request never meets another file under the id of a closed inode. */
  #newId(): string {
    return this.#parts.random.bytes(ID_BYTES).toHex();
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
