import { concat } from "@std/bytes";
import type {
  Journal,
  JournalHeader,
  JournalRecord,
  Journals,
  LeftJournal,
} from "../core/ports/journal.ts";
import { asSystemError } from "../core/system_error.ts";
import { removeIfPresent, setAside, writeAll } from "../native/files.ts";
import { decodeJournal, encodeHeader, encodeRecord } from "./journal_format.ts";

const SUFFIX = ".journal";
/** A rewritten journal is written under this name, then renamed over the old one. */
const DRAFT_SUFFIX = ".journal.draft";

/** Journals as append-only files in one folder, a file for each inode (docs/inodes.md#6). */
export class JournalFiles implements Journals {
  /** @param folder Is made when it is missing; its parent must exist */
  constructor(readonly folder: string) {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  async create(id: string, header: JournalHeader): Promise<Journal> {
    const path = `${this.folder}/${id}${SUFFIX}`;
    try {
      const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
      const journal = new JournalFile(path, file, header, [encodeHeader(header)]);
      try {
        await journal.flush();
        return journal;
      } catch (error) {
        await journal.close();
        await this.remove(id).catch(() => {});
        throw error;
      }
    } catch (error) {
      throw asSystemError(error, "write", path);
    }
  }

  async resume(id: string, header: JournalHeader): Promise<Journal> {
    const path = `${this.folder}/${id}${SUFFIX}`;
    try {
      return new JournalFile(path, await Deno.open(path, { write: true }), header);
    } catch (error) {
      throw asSystemError(error, "open", path);
    }
  }

  async left(): Promise<readonly LeftJournal[]> {
    const found: LeftJournal[] = [];
    for await (const { name } of Deno.readDir(this.folder)) {
      const path = `${this.folder}/${name}`;
      if (name.endsWith(DRAFT_SUFFIX)) await Deno.remove(path);
      if (!name.endsWith(SUFFIX)) continue;
      found.push({
        id: name.slice(0, -SUFFIX.length),
        ...decodeJournal(await Deno.readFile(path)),
      });
    }
    return found.sort((a, b) => a.id < b.id ? -1 : 1);
  }

  async remove(id: string): Promise<void> {
    await removeIfPresent(`${this.folder}/${id}${SUFFIX}`);
  }

  async setAside(id: string): Promise<string | undefined> {
    return await setAside(`${this.folder}/${id}${SUFFIX}`);
  }
}

class JournalFile implements Journal {
  readonly #path: string;
  #header: JournalHeader;
  #file: Deno.FsFile;
  /** Length of the file up to its last whole frame, in bytes. */
  #goodBytes = 0;
  /** Whether a write failed, so that the file may end in a part of a frame. */
  #torn = false;
  #sequence = 0n;
  /** Frames that are not in the file yet, and whether they replace it. */
  #waiting: Uint8Array<ArrayBuffer>[];
  #replaces = false;
  #writing: Promise<void> | undefined;

  /** @param waiting The first frames to be written */
  constructor(
    path: string,
    file: Deno.FsFile,
    header: JournalHeader,
    waiting: Uint8Array<ArrayBuffer>[] = [],
  ) {
    this.#path = path;
    this.#file = file;
    this.#header = header;
    this.#waiting = waiting;
  }

  get records(): number {
    return Number(this.#sequence);
  }

  append(...records: readonly JournalRecord[]): void {
    for (const record of records) {
      this.#waiting.push(encodeRecord(record, this.#sequence++, this.#header.inode));
    }
  }

  rewrite(records: readonly JournalRecord[]): void {
    this.#waiting = [encodeHeader(this.#header)];
    this.#replaces = true;
    this.#sequence = 0n;
    this.append(...records);
  }

  readdress(device: bigint, inode: bigint): void {
    this.#header = { ...this.#header, device, inode };
    this.rewrite([]);
  }

  async flush(): Promise<void> {
    // Records that are added while a write runs are written together by the next one.
    while (this.#writing !== undefined) await this.#writing.catch(() => {});
    if (this.#waiting.length === 0) return;
    const writing = this.#write();
    this.#writing = writing;
    try {
      await writing;
    } catch (error) {
      throw asSystemError(error, "write", this.#path);
    } finally {
      this.#writing = undefined;
    }
  }

  async close(): Promise<void> {
    await this.#writing?.catch(() => {});
    this.#file.close();
  }

  async #write(): Promise<void> {
    const frames = this.#waiting;
    const replaces = this.#replaces;
    this.#waiting = [];
    this.#replaces = false;
    try {
      const bytes = concat(frames);
      if (replaces) await this.#replaceWith(bytes);
      else await this.#add(bytes);
    } catch (error) {
      // A rewrite that was requested meanwhile replaces these frames as well.
      if (!this.#replaces) {
        this.#waiting = [...frames, ...this.#waiting];
        this.#replaces = replaces;
      }
      throw error;
    }
  }

  async #add(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#torn) {
      await this.#file.truncate(this.#goodBytes);
      await this.#file.seek(this.#goodBytes, Deno.SeekMode.Start);
      this.#torn = false;
    }
    this.#torn = true;
    await writeAll(this.#file, bytes);
    this.#torn = false;
    this.#goodBytes += bytes.byteLength;
  }

  async #replaceWith(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const draft = this.#path.slice(0, -SUFFIX.length) + DRAFT_SUFFIX;
    const file = await Deno.open(draft, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    try {
      await writeAll(file, bytes);
      await Deno.rename(draft, this.#path);
    } catch (error) {
      file.close();
      await Deno.remove(draft).catch(() => {});
      throw error;
    }
    this.#file.close();
    this.#file = file;
    this.#torn = false;
    this.#goodBytes = bytes.byteLength;
  }
}
