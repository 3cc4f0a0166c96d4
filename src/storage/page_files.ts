import { Fault } from "../core/faults.ts";
import { PAGE_BYTES } from "../core/limits.ts";
import type {
  OpenedPage,
  PageFile,
  PageFolder,
  PageName,
  Visibility,
} from "../core/ports/page_file.ts";

/**
 * Pages as regular files, one folder a scope, readable for all (docs/generations.md#5).
 * Programs map them, also through a bind mount into a container.
 */
export class PageFiles implements PageFolder {
  /**
   * @param folder Has one folder for each scope, such as `/run/innkeeper/pages`
   * @param visibility Whether the folders above it let every user pass
   */
  constructor(readonly folder: string, readonly visibility: Visibility) {}

  open(scope: string, name: PageName, initial: Uint8Array<ArrayBuffer>): OpenedPage {
    const folder = `${this.folder}/${scope}`;
    const path = `${folder}/${name}`;
    try {
      makeFolder(this.folder);
      makeFolder(folder);
      const isNew = !exists(path);
      if (isNew) publish(folder, path, initial);
      requireRegular(path);
      const page = new FilePage(path, Deno.openSync(path, { read: true, write: true }));
      try {
        page.grow();
        return { page, found: isNew ? undefined : page.bytes() };
      } catch (error) {
        page.close();
        throw error;
      }
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw new Fault(
        "page-unusable",
        `Cannot publish the page ${path}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}

class FilePage implements PageFile {
  constructor(readonly path: string, readonly file: Deno.FsFile) {}

  write(offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.file.seekSync(offset, Deno.SeekMode.Start);
    const written = this.file.writeSync(bytes);
    if (written === bytes.byteLength) return;
    throw new Fault(
      "page-unusable",
      `Cannot store into ${this.path}: ${written} of ${bytes.byteLength} bytes were taken`,
    );
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

  /** Grows a short file in place. A page is never made shorter and never replaced. */
  grow(): void {
    if (this.file.statSync().size < PAGE_BYTES) this.file.truncateSync(PAGE_BYTES);
  }

  close(): void {
    this.file.close();
  }
}

function makeFolder(path: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: 0o755 });
  Deno.chmodSync(path, 0o755);
}

/** Writes the whole page under another name and links it into place, so no reader sees a part. */
function publish(folder: string, path: string, initial: Uint8Array<ArrayBuffer>): void {
  const temporary = `${folder}/.page.${crypto.randomUUID()}`;
  const page = new Uint8Array(PAGE_BYTES);
  page.set(initial);
  Deno.openSync(temporary, { write: true, createNew: true }).close();
  try {
    Deno.writeFileSync(temporary, page);
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
