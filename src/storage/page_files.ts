import { Fault } from "../core/faults.ts";
import { PAGE_BYTES } from "../core/limits.ts";
import type { OpenedPage, PageFile, PageFolder } from "../core/ports/page_file.ts";

const GENERATION_BYTES = 4;

/**
 * Pages as regular files, one folder a scope, readable for all (spec decision 5). Programs map
 * them, also through a bind mount into a container.
 */
export class PageFiles implements PageFolder {
  /** @param folder The folder below which each scope gets its own, such as `/run/innkeeper/pages` */
  constructor(readonly folder: string) {}

  open(scope: string, initial: number): OpenedPage {
    const folder = `${this.folder}/${scope}`;
    const path = `${folder}/sysgenid`;
    makeFolder(this.folder);
    makeFolder(folder);
    const isNew = !exists(path);
    if (isNew) publish(folder, path, initial);
    requireRegular(path);
    const file = Deno.openSync(path, { read: true, write: true });
    const page = new FilePage(path, file);
    return { page, found: isNew ? undefined : page.grown() };
  }
}

class FilePage implements PageFile {
  readonly #word = new Uint32Array(1);

  constructor(readonly path: string, readonly file: Deno.FsFile) {}

  store(generation: number): void {
    this.#word[0] = generation;
    this.file.seekSync(0, Deno.SeekMode.Start);
    const written = this.file.writeSync(new Uint8Array(this.#word.buffer));
    if (written !== GENERATION_BYTES) {
      throw new Fault(
        "page-unusable",
        `Cannot store generation ${generation} in ${this.path}: ${written} of 4 bytes were taken`,
      );
    }
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(PAGE_BYTES);
    this.file.seekSync(0, Deno.SeekMode.Start);
    let read = 0;
    while (read < PAGE_BYTES) {
      const count = this.file.readSync(bytes.subarray(read));
      if (count === null) break;
      read += count;
    }
    return bytes;
  }

  /** What the file holds, after growing a short one in place: never shorter, never replaced. */
  grown(): number {
    if (this.file.statSync().size < PAGE_BYTES) this.file.truncateSync(PAGE_BYTES);
    return new Uint32Array(this.bytes().buffer)[0] ?? 0;
  }

  close(): void {
    this.file.close();
  }
}

function makeFolder(path: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: 0o755 });
  Deno.chmodSync(path, 0o755);
}

/** Makes the page whole under another name and links it into place, once for ever. */
function publish(folder: string, path: string, initial: number): void {
  const temporary = `${folder}/.sysgenid.${crypto.randomUUID()}`;
  const page = new Uint32Array(PAGE_BYTES / GENERATION_BYTES);
  page[0] = initial;
  Deno.writeFileSync(temporary, new Uint8Array(page.buffer), { createNew: true });
  try {
    Deno.chmodSync(temporary, 0o644);
    Deno.linkSync(temporary, path);
  } finally {
    Deno.removeSync(temporary);
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function requireRegular(path: string): void {
  const { isFile, isSymlink, isDirectory } = Deno.lstatSync(path);
  if (isFile) return;
  const kind = isSymlink ? "a symbolic link" : isDirectory ? "a folder" : "a special file";
  throw new Fault(
    "page-unusable",
    `Cannot publish the page ${path}: ${kind} is in its place; remove it and start again`,
  );
}
