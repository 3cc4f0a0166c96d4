import { delay } from "@std/async";
import { RECLAIM_GRACE_MS } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";
import type { Libc } from "../native/libc.ts";
import { mountRoots } from "../native/mount_roots.ts";
import { FileLease, leasesTellOfMappings } from "../native/page_lease.ts";

const HIDDEN = ".gone.";

/** A page that is hidden under another name, with the lease that proves that nobody has it. */
interface HiddenPage {
  readonly path: string;
  readonly hidden: string;
  readonly lease: FileLease;
}

/**
 * Removes pages that nobody has. A write lease proves that nobody has one open or mapped, and the
 * lists of mounts that none shows it (docs/generations.md#reclaim).
 */
export class PageReclaim {
  readonly #libc: Libc;
  readonly #folder: string;
  readonly #names: readonly string[];
  #canTell: boolean | undefined;

  /**
   * @param folder Has one folder for each scope
   * @param names Of the pages of a scope
   */
  constructor(libc: Libc, folder: string, names: readonly string[]) {
    this.#libc = libc;
    this.#folder = folder;
    this.#names = names;
  }

  /** @returns The scopes whose pages are gone */
  async remove(scopes: readonly string[]): Promise<readonly string[]> {
    if (scopes.length === 0 || !this.#canTellOfMappings()) return [];
    const roots = mountRoots(this.#libc);
    if (roots === undefined) return [];
    const unmounted = scopes.filter((scope) => !this.#isMounted(scope, roots));
    const hidden = new Map<string, readonly HiddenPage[]>();
    for (const scope of unmounted) {
      const pages = this.#hide(scope);
      if (pages !== undefined) hidden.set(scope, pages);
    }
    // Somebody may have found a page by its name before that was changed, and not opened it yet.
    if (hidden.size > 0) await delay(RECLAIM_GRACE_MS);
    return [...hidden].filter(([scope, pages]) => this.#finish(scope, pages)).map(([scope]) =>
      scope
    );
  }

  /** Hides the pages of a scope; `undefined` when somebody has one, and then nothing has changed. */
  #hide(scope: string): readonly HiddenPage[] | undefined {
    const pages: HiddenPage[] = [];
    for (const name of this.#names) {
      const path = `${this.#folder}/${scope}/${name}`;
      const lease = takeLease(this.#libc, path);
      if (lease === "no file") continue;
      if (lease === undefined) {
        for (const page of pages) page.lease[Symbol.dispose]();
        return undefined;
      }
      pages.push({ path, hidden: `${this.#folder}/${scope}/${HIDDEN}${name}`, lease });
    }
    for (const { path, hidden } of pages) Deno.renameSync(path, hidden);
    return pages;
  }

  /** Removes hidden pages, or shows them again when somebody has come for one. */
  #finish(scope: string, pages: readonly HiddenPage[]): boolean {
    const isFree = pages.every(({ lease }) => lease.isUndisturbed);
    for (const { path, hidden, lease } of pages) {
      if (isFree) Deno.removeSync(hidden);
      else Deno.renameSync(hidden, path);
      lease[Symbol.dispose]();
    }
    if (isFree) removeFolder(`${this.#folder}/${scope}`);
    return isFree;
  }

  /** Whether a mount, in whatever namespace, shows a page of a scope or the folder of its pages. */
  #isMounted(scope: string, roots: ReadonlySet<string>): boolean {
    const places = [scope, ...this.#names.map((name) => `${scope}/${name}`)];
    const above = this.#folder.slice(this.#folder.lastIndexOf("/"));
    // The folder itself may be the root of its file system.
    return places.some((place) => roots.has(`/${place}`)) ||
      [...roots].some((root) => places.some((place) => root.endsWith(`${above}/${place}`)));
  }

  #canTellOfMappings(): boolean {
    if (this.#canTell !== undefined) return this.#canTell;
    const probe = `${this.#folder}/.probe.${crypto.randomUUID()}`;
    try {
      this.#canTell = leasesTellOfMappings(this.#libc, probe);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#canTell = false;
    } finally {
      removeIfThere(probe);
    }
    return this.#canTell;
  }
}

function takeLease(libc: Libc, path: string): FileLease | "no file" | undefined {
  try {
    return FileLease.take(libc, path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.errno === "ENOENT" ? "no file" : undefined;
  }
}

/** Removes a folder of pages with what a crash may have left in it. What others put there stays. */
function removeFolder(path: string): void {
  try {
    for (const { name } of Deno.readDirSync(path)) {
      if (name.startsWith(HIDDEN) || name.startsWith(".page.")) Deno.removeSync(`${path}/${name}`);
    }
    Deno.removeSync(path);
  } catch {
    // It is not there, or not empty: then the pages are gone all the same.
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
