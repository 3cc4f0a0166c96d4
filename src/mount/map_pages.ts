/**
 * What maps of the mount show: never FUSE's own cache, always a backing file that lives on when the
 * daemon dies (docs/mount.md#3).
 *
 * ```text
 * opened for reading ─────────────────────────────▶ the published page, through a read-only mount
 * opened for writing, by who has just looked it up ▶ a page of the program's own
 * opened for writing otherwise (a bind mount) ─────▶ no map
 * ```
 *
 * So a program that stores into its map, which the kernel cannot forbid here, changes nothing that
 * another look-up shows. A page of a program's own is stored to for as long as anybody maps it.
 *
 * The kernel lets a node show one backing file at a time, and while it does, takes no open of the
 * node without it. An open that needs something else is told to wait.
 *
 * @module
 */
import type { PageName } from "../core/ports/page_file.ts";
import { SystemError } from "../core/system_error.ts";
import type { Descriptor } from "../native/descriptor.ts";
import type { OwnPage } from "../native/mount_pages.ts";
import type { CopiedPages } from "./copied_pages.ts";

/** Registers backing files, as the FUSE device does. */
interface BackingIds {
  openBacking(fd: number): number;
  closeBacking(id: number): void;
}

/** Where published pages are. */
export interface PublishedPages {
  /** Opens a published page in a way that lets nobody write through it. @throws {SystemError} */
  openPublished(scope: string, name: PageName): Descriptor;
}

/** How a node is opened. */
interface MapOpening {
  readonly node: bigint;
  readonly scope: string;
  readonly writable: boolean;
  /** Whether the caller has just looked the node up, so that nobody else has it. */
  readonly isFresh: boolean;
}

/** What the maps of a node show while it is open with maps. */
interface Shown {
  readonly id: number;
  readonly isOwn: boolean;
  /** `undefined` when it is none, or none that is there any more. */
  readonly own: OwnPage | undefined;
  opens: number;
}

/** An open file of an earlier process, with maps. */
interface RestoredOpening {
  readonly node: bigint;
  readonly scope: string;
  readonly id: number;
  /** The path of its own page, where it has one. */
  readonly ownPage: string | undefined;
}

/** Where the backing files of published pages are noted. */
interface BackingNotes {
  readonly backings: ReadonlyMap<string, number>;
  backing(page: string, id: number): void;
}

/** Chooses what the maps of each open file show. */
export class MapPages {
  readonly #ids: BackingIds;
  readonly #files: PublishedPages;
  readonly #copies: CopiedPages;
  readonly #nodes = new Map<bigint, Shown>();
  readonly #notes: BackingNotes;
  readonly #published: Map<string, number>;

  constructor(
    ids: BackingIds,
    files: PublishedPages,
    copies: CopiedPages,
    notes: BackingNotes,
  ) {
    this.#notes = notes;
    this.#published = new Map(notes.backings);
    this.#ids = ids;
    this.#files = files;
    this.#copies = copies;
  }

  /** How many pages of single programs there are. */
  get ownPages(): number {
    return this.#copies.count;
  }

  /** The backing file for the maps of a vmclock file; `undefined` for no maps. */
  vmclock(scope: string): number | undefined {
    return this.#publishedId(scope, "vmclock");
  }

  /**
   * Chooses what the maps of a sysgenid file show. A backing file wants a {@linkcode close} each.
   *
   * @returns The backing file; `undefined` for no maps; `busy` when the node cannot be opened so
   * before others have closed it
   */
  open({ node, scope, writable, isFresh }: MapOpening): number | undefined | "busy" {
    const known = this.#nodes.get(node);
    if (known !== undefined) {
      if (writable || known.isOwn) return "busy";
      known.opens++;
      return known.id;
    }
    if (writable && !isFresh) return undefined;
    const shown = writable ? this.#makeOwn(scope) : this.#show(scope);
    if (shown !== undefined) this.#nodes.set(node, shown);
    return shown?.id;
  }

  /** The path of the own page that a node shows. */
  ownPageOf(node: bigint): string | undefined {
    return this.#nodes.get(node)?.own?.file.subject;
  }

  /** An open file of an earlier process goes on. */
  restore({ node, scope, id, ownPage }: RestoredOpening): void {
    const known = this.#nodes.get(node);
    if (known !== undefined) known.opens++;
    else {
      const own = ownPage === undefined ? undefined : this.#copies.hold(scope, ownPage);
      this.#nodes.set(node, { id, isOwn: ownPage !== undefined, own, opens: 1 });
    }
  }

  /** A sysgenid file with a backing file is closed; maps of it may live on. */
  close(node: bigint): void {
    const shown = this.#nodes.get(node);
    if (shown === undefined || --shown.opens > 0) return;
    this.#nodes.delete(node);
    if (!shown.isOwn) return;
    this.#ids.closeBacking(shown.id);
    if (shown.own !== undefined) this.#copies.letGo(shown.own);
  }

  #show(scope: string): Shown | undefined {
    const id = this.#publishedId(scope, "sysgenid");
    return id === undefined ? undefined : { id, isOwn: false, own: undefined, opens: 1 };
  }

  #publishedId(scope: string, name: PageName): number | undefined {
    const path = `${scope}/${name}`;
    const known = this.#published.get(path);
    if (known !== undefined) return known;
    return orUnmapped(() => {
      using file = this.#files.openPublished(scope, name);
      const id = this.#ids.openBacking(file.number);
      this.#published.set(path, id);
      this.#notes.backing(path, id);
      return id;
    });
  }

  #makeOwn(scope: string): Shown | undefined {
    return orUnmapped(() => {
      const own = this.#copies.copy(scope);
      if (own === undefined) return undefined;
      try {
        const id = this.#ids.openBacking(own.file.number);
        return { id, isOwn: true, own, opens: 1 };
      } catch (error) {
        this.#copies.letGo(own);
        throw error;
      }
    });
  }
}

/** Nothing can be mapped where the host does not let us: `innkeeper doctor` says why. */
function orUnmapped<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
