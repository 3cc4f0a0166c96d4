import { MOUNT_OWN_PAGES_MAX } from "../core/limits.ts";
import type {
  OpenedPage,
  PageFile,
  PageFolder,
  PageName,
  PageWord,
} from "../core/ports/page_file.ts";
import type { OwnPage } from "../native/mount_pages.ts";

/** Where the pages of single programs are. */
interface OwnPageFiles {
  /** Makes a page for one program. @throws {SystemError} */
  createOwn(scope: string): OwnPage;
  /** The pages of a scope that earlier processes made. */
  foundOwn(scope: string): readonly OwnPage[];
}

/** The sysgenid page of one scope, and its copies, for as long as this process runs. */
interface Copies {
  readonly pages: Set<OwnPage>;
  /** The published page; closed while the scope is deleted. */
  page: PageFile;
}

/**
 * The folder of published pages, of which single programs may have copies that they can store into:
 * what is stored in the sysgenid page of a scope is stored in its copies too, before anybody is
 * notified. Like the page itself a copy lives on when its scope is deleted and made again, and when
 * the daemon dies, until no program has it open or mapped.
 */
export class CopiedPages implements PageFolder {
  readonly #pages: PageFolder;
  readonly #files: OwnPageFiles;
  readonly #copies = new Map<string, Copies>();
  /** Copies that an open file may still have to be opened with. */
  readonly #held = new Set<OwnPage>();
  #count = 0;

  constructor(pages: PageFolder, files: OwnPageFiles) {
    this.#pages = pages;
    this.#files = files;
  }

  get visibility(): PageFolder["visibility"] {
    return this.#pages.visibility;
  }

  /** How many copies there are. */
  get count(): number {
    return this.#count;
  }

  open(scope: string, name: PageName, initial: Uint8Array<ArrayBuffer>): OpenedPage {
    const { page, found } = this.#pages.open(scope, name, initial);
    if (name !== "sysgenid") return { page, found };
    const copies = this.#copiesOf(scope, page);
    // What an earlier process did not store any more.
    for (const copy of copies.pages) copy.store(0, page.bytes());
    return { page: new CopiedPage(page, (stores) => this.#store(copies, stores)), found };
  }

  async reclaim(scopes: readonly string[]): Promise<readonly string[]> {
    // A program may know the number in its copy, which a scope that begins anew could repeat.
    const gone = await this.#pages.reclaim(scopes.filter((scope) => !this.#isCopied(scope)));
    for (const scope of gone) this.#copies.delete(scope);
    return gone;
  }

  /**
   * Makes a copy of the page of a scope that is open. It stays until it is let go of and no program
   * has it.
   *
   * @returns `undefined` when there are too many
   * @throws {SystemError}
   */
  copy(scope: string): OwnPage | undefined {
    const copies = this.#copies.get(scope);
    if (copies === undefined) return undefined;
    this.#sweep(copies);
    if (this.#count >= MOUNT_OWN_PAGES_MAX) return undefined;
    const copy = this.#files.createOwn(scope);
    try {
      copy.store(0, copies.page.bytes());
    } catch (error) {
      copy.remove();
      throw error;
    }
    copies.pages.add(copy);
    this.#held.add(copy);
    this.#count++;
    return copy;
  }

  /** Holds a copy that an earlier process has made. @param path Of its file */
  hold(scope: string, path: string): OwnPage | undefined {
    const found = [...this.#copies.get(scope)?.pages ?? []].find((copy) =>
      copy.file.subject === path
    );
    if (found !== undefined) this.#held.add(found);
    return found;
  }

  /** From now on a copy goes when no program has it. */
  letGo(copy: OwnPage): void {
    this.#held.delete(copy);
  }

  /** Closes the copies, which stay for as long as programs map them. */
  close(): void {
    for (const { pages } of this.#copies.values()) for (const copy of pages) copy.close();
    this.#copies.clear();
  }

  /** Whether a program has a copy. */
  #isCopied(scope: string): boolean {
    const known = this.#copies.get(scope);
    if (known !== undefined) {
      this.#sweep(known);
      return known.pages.size > 0;
    }
    // Of a scope that was deleted before this process started.
    const inUse = this.#files.foundOwn(scope).filter((copy) => {
      const isInUse = copy.isInUse();
      if (isInUse) copy.close();
      else copy.remove();
      return isInUse;
    });
    return inUse.length > 0;
  }

  #store(copies: Copies, stores: readonly PageWord[]): void {
    this.#sweep(copies);
    for (const copy of copies.pages) {
      for (const [offset, value] of stores) {
        copy.store(offset, new Uint8Array(BigUint64Array.of(value).buffer));
      }
    }
  }

  #copiesOf(scope: string, page: PageFile): Copies {
    const known = this.#copies.get(scope);
    if (known !== undefined) {
      known.page = page;
      return known;
    }
    const copies = { page, pages: new Set(this.#files.foundOwn(scope)) };
    this.#count += copies.pages.size;
    this.#copies.set(scope, copies);
    this.#sweep(copies);
    return copies;
  }

  /** Takes the copies away that nobody has open or mapped any more. */
  #sweep({ pages }: Copies): void {
    for (const copy of pages) {
      if (this.#held.has(copy) || copy.isInUse()) continue;
      pages.delete(copy);
      copy.remove();
      this.#count--;
    }
  }
}

/** A published page, of which copies are stored to after it. */
class CopiedPage implements PageFile {
  readonly path: string;
  readonly #page: PageFile;
  readonly #copy: (stores: readonly PageWord[]) => void;

  constructor(page: PageFile, copy: (stores: readonly PageWord[]) => void) {
    this.path = page.path;
    this.#page = page;
    this.#copy = copy;
  }

  store(stores: readonly PageWord[]): void {
    this.#page.store(stores);
    this.#copy(stores);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#page.bytes();
  }

  shows(head: Uint8Array<ArrayBuffer>): boolean {
    return this.#page.shows(head);
  }

  close(): void {
    this.#page.close();
  }
}
