import { WRITE_BACK_BYTES } from "../../core/limits.ts";
import type { CacheFiles } from "../../core/ports/cache_file.ts";
import type {
  JournalHeader,
  JournalRecord,
  Journals,
  LeftJournal,
} from "../../core/ports/journal.ts";
import type { RootFolder } from "../../core/ports/root_folder.ts";
import { minOf, type Range, Segments } from "../../core/segments.ts";
import { SystemError } from "../../core/system_error.ts";
import { Backing } from "../backing/backing.ts";
import { type Baseline, isAsBefore } from "./dirty_log.ts";
import { sliceOf } from "../ranges/page_slice.ts";

/** What recovery works on. */
export interface RecoveryParts {
  /** The folders in which inodes may be opened, by name. */
  readonly roots: ReadonlyMap<string, RootFolder>;
  readonly caches: CacheFiles;
  readonly journals: Journals;
  /** Names this run of the host. Pages cached in another run cannot be trusted. */
  readonly bootId: string;
}

/** What a start can make of the dirty bytes of one file. */
export type Outcome = "restored" | "discarded" | "kept";

/** What became of the dirty bytes that an earlier process left of one file. */
export interface Recovered {
  /** Name of its root; empty when the journal does not tell. */
  readonly root: string;
  /** Path of the file; of the journal, when that does not tell. */
  readonly path: string;
  readonly dirtyBytes: bigint;
  /**
   * `restored`: they are in the file and on stable storage. `discarded`: the host was started anew,
   * so the cache cannot be trusted. `kept`: they could not be written, and the next start tries
   * again. `journal-cut`: the end of the journal was no whole record and is not counted.
   * `set-aside`: such a journal and its cache file were given other names, and stay.
   */
  readonly outcome: Outcome | "journal-cut" | "set-aside";
  /** Why it was not restored, or what was cut. */
  readonly reason?: string;
}

/** What the records of a journal amount to. */
interface Replayed {
  readonly dirty: Segments<true>;
  /** How Innkeeper left the file; `undefined` when it died while changing it. */
  readonly baseline: Baseline | undefined;
  readonly isOvertaken: boolean;
}

/** Replays the records of a journal in their order. */
export function replay(records: readonly JournalRecord[]): Replayed {
  const dirty = new Segments<true>();
  let baseline: Baseline | undefined;
  let isOvertaken = false;
  for (const record of records) {
    switch (record.kind) {
      case "dirty":
        dirty.set(record, true);
        break;
      case "clean":
        dirty.clear(record);
        break;
      case "settled":
        baseline = record;
        isOvertaken = false;
        break;
      case "changing":
        baseline = undefined;
        break;
      case "overtaken":
        isOvertaken = true;
        break;
    }
  }
  return { dirty, baseline, isOvertaken };
}

/**
 * Writes to its files what earlier processes acknowledged and did not write back before they died
 * (docs/inodes.md#6). To be called before any inode is opened.
 *
 * @param onLeft Called with each journal whose bytes could not be written, and why
 * @returns One entry for each file that had dirty bytes, and one before it where its journal was cut
 */
export async function recover(
  parts: RecoveryParts,
  onLeft: (left: LeftJournal, reason: string) => void = () => {},
): Promise<readonly Recovered[]> {
  const outcomes: Recovered[] = [];
  const unsaved = new Set<string>();
  for (const left of await parts.journals.left()) {
    const { root, path } = left.header ?? { root: "", path: `journal ${left.id}` };
    if (left.cutBytes > 0) {
      const reason = `the last ${left.cutBytes} bytes of its journal are no whole record`;
      outcomes.push({ root, path, dirtyBytes: 0n, outcome: "journal-cut", reason });
    }
    const dirtyBytes = replay(left.records).dirty.length;
    if (dirtyBytes > 0n && left.header !== undefined) {
      const outcome = await restore(parts, left);
      outcomes.push({ root, path, dirtyBytes, ...outcome });
      if (outcome.outcome === "kept") {
        unsaved.add(left.id);
        onLeft(left, outcome.reason ?? "");
        continue;
      }
    }
    if (left.cutBytes > 0) {
      // What is damaged may hold bytes that were acknowledged, so both files stay for people.
      const aside = [await parts.journals.setAside(left.id), await parts.caches.setAside(left.id)];
      const reason = `kept as ${aside.filter((name) => name !== undefined).join(" and ")}`;
      outcomes.push({ root, path, dirtyBytes: 0n, outcome: "set-aside", reason });
      continue;
    }
    // What cannot be removed has nothing left to write, and is removed at the next start.
    await parts.journals.remove(left.id).catch(() => {});
  }
  for (const id of await parts.caches.list()) {
    if (!unsaved.has(id)) await parts.caches.remove(id).catch(() => {});
  }
  return outcomes;
}

/**
 * Writes the dirty bytes of one journal to their file.
 *
 * @param isForced Also when somebody else has changed that file since
 */
export async function restore(
  parts: RecoveryParts,
  { id, header, records }: LeftJournal,
  isForced = false,
): Promise<{ readonly outcome: Outcome; readonly reason?: string }> {
  const { dirty, baseline, isOvertaken } = replay(records);
  const unsaved = (reason: string) => ({ outcome: "kept" as const, reason });
  if (header === undefined) return unsaved("the head of its journal is damaged");
  if (header.bootId !== parts.bootId) {
    return { outcome: "discarded", reason: "the host was started anew" };
  }
  if (isOvertaken && !isForced) return unsaved("the file was changed from outside below it");
  const folder = parts.roots.get(header.root);
  if (folder === undefined) return unsaved(`no root is named "${header.root}"`);
  try {
    const { file } = await folder.open({
      path: header.path,
      access: "rw",
      create: "never",
      permissions: 0,
    });
    try {
      const now = file.attributes();
      if (now.device !== header.device || now.inode !== header.inode) {
        return unsaved("its path leads to another file");
      }
      if (baseline !== undefined && !isForced && !isAsBefore(baseline, now)) {
        return unsaved("the file was changed from outside below it");
      }
      await writeInto(new Backing(file, header.path), parts, id, header, [...dirty]);
      return { outcome: "restored" };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = error instanceof SystemError ? `${error.call} gave ${error.errno}` : error.message;
    return unsaved(why);
  }
}

/**
 * Writes dirty runs to their file. The journal says so before, because a next start would else take
 * the half that a death leaves for somebody else's change; so all of it can be done again from any
 * step on.
 */
async function writeInto(
  backing: Backing,
  { caches, journals }: RecoveryParts,
  id: string,
  header: JournalHeader,
  runs: readonly Range[],
): Promise<void> {
  const journal = await journals.resume(id, header);
  const note = async (state: JournalRecord): Promise<void> => {
    const dirty = runs.map(({ start, end }): JournalRecord => ({ kind: "dirty", start, end }));
    journal.rewrite([state, ...dirty]);
    await journal.flush();
  };
  try {
    await note({ kind: "changing" });
    try {
      await copy(caches, id, backing, runs);
    } finally {
      // Only from here to there is a change from outside not told from our own.
      const { sizeBytes, modificationTimeNs, statusChangeTimeNs } = backing.attributes();
      await note({ kind: "settled", sizeBytes, modificationTimeNs, statusChangeTimeNs });
    }
    await backing.sync();
    journal.rewrite([]);
    await journal.flush();
  } finally {
    await journal.close();
  }
}

/** Copies dirty runs that lie near each other out of one piece of the cache file. */
async function copy(
  caches: CacheFiles,
  id: string,
  backing: Backing,
  runs: readonly Range[],
): Promise<void> {
  let piece: Range = { start: 0n, end: 0n };
  let bytes = new Uint8Array();
  for (const [index, { start, end }] of runs.entries()) {
    for (let at = start; at < end;) {
      if (at >= piece.end) {
        piece = { start: at, end: pieceEnd(at, runs, index) };
        bytes = new Uint8Array(Number(piece.end - piece.start));
        if (await caches.salvage(id, bytes, at) < bytes.byteLength) {
          throw new Error(`its cache file ends before offset ${piece.end}`);
        }
      }
      const part = sliceOf(bytes, piece.start, { start: at, end: minOf(end, piece.end) });
      await backing.write(part, at);
      at += BigInt(part.byteLength);
    }
  }
}

/** Where a piece that begins at an offset ends: at the end of the last run that is near. */
function pieceEnd(start: bigint, runs: readonly Range[], index: number): bigint {
  const limit = start + BigInt(WRITE_BACK_BYTES);
  let end = start;
  for (let run; (run = runs[index]) !== undefined && run.start < limit; index++) end = run.end;
  return minOf(end, limit);
}
