import { Fault } from "../core/faults.ts";
import { PAGE_BYTES } from "../core/limits.ts";
import {
  type OpenedPage,
  PAGE_NAMES,
  type PageFolder,
  type PageName,
  type Visibility,
} from "../core/ports/page_file.ts";
import type { Libc } from "../native/libc.ts";
import { PageMapping } from "../native/page_mapping.ts";
import { PageReclaim } from "./page_reclaim.ts";

/**
 * Pages as regular files, one folder a scope, readable for all (docs/generations.md#5).
 * Programs map them, also through a bind mount into a container.
 */
export class PageFiles implements PageFolder {
  readonly #libc: Libc;
  readonly #reclaim: PageReclaim;

  /**
   * @param folder Has one folder for each scope, such as `/run/innkeeper/pages`
   * @param visibility Whether the folders above it let every user pass
   */
  constructor(libc: Libc, readonly folder: string, readonly visibility: Visibility) {
    this.#libc = libc;
    this.#reclaim = new PageReclaim(libc, folder, PAGE_NAMES);
  }

  reclaim(scopes: readonly string[]): Promise<readonly string[]> {
    return this.#reclaim.remove(scopes);
  }

  open(scope: string, name: PageName, initial: Uint8Array<ArrayBuffer>): OpenedPage {
    const folder = `${this.folder}/${scope}`;
    const path = `${folder}/${name}`;
    try {
      makeFolder(this.folder);
      makeFolder(folder);
      const isNew = !exists(path);
      if (isNew) publish(folder, path, initial);
      requireRegular(path);
      requireOnlyLink(folder, path);
      const page = new PageMapping(this.#libc, path);
      try {
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

function makeFolder(path: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: 0o755 });
  Deno.chmodSync(path, 0o755);
}

/** Writes the whole page under another name and links it into place, so no reader sees a part. */
function publish(folder: string, path: string, initial: Uint8Array<ArrayBuffer>): void {
  const temporary = `${folder}/${TEMPORARY}${crypto.randomUUID()}`;
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

const TEMPORARY = ".page.";

/**
 * A page of a second name could be another file of ours that somebody has linked there, and we would
 * write into it. A name of our own is left over when a process ended while it published.
 */
function requireOnlyLink(folder: string, path: string): void {
  if (linksOf(path) === 1) return;
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.startsWith(TEMPORARY)) Deno.removeSync(`${folder}/${name}`);
  }
  const links = linksOf(path);
  if (links === 1) return;
  throw new Fault(
    "page-unusable",
    `Cannot publish the page ${path}: it has ${links} names (hard links), and whoever has another ` +
      "one may mean another file: remove it and start again",
  );
}

function linksOf(path: string): number {
  return Deno.lstatSync(path).nlink ?? 1;
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
