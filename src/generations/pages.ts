import type {
  OpenedPage,
  PageFile,
  PageFolder,
  PageName,
  Visibility,
} from "../core/ports/page_file.ts";
import type { Bump } from "./bump.ts";
import { ForeignValues } from "./foreign_values.ts";
import { mendSysgenid, storeSysgenid, sysgenidBytes, sysgenidGeneration } from "./sysgenid_page.ts";
import {
  mendVmclock,
  nextSequence,
  storeVmclock,
  vmclockBytes,
  vmclockEpoch,
  vmclockSequence,
} from "./vmclock_page.ts";

/** What the pages showed when they were opened. */
export interface FoundPages {
  /** `undefined` when the page was made just now. */
  readonly generation: number | undefined;
  readonly epoch: bigint | undefined;
}

/** What somebody else had written into a page; `undefined` when it was no layout that we know. */
interface ForeignPage {
  readonly page: PageName;
  readonly found: number | bigint | undefined;
}

/** A bump, and the first bytes of the pages that show it. */
interface ShownBump {
  readonly bump: Bump;
  readonly sequence: number;
  readonly sysgenid: Uint8Array<ArrayBuffer>;
  readonly vmclock: Uint8Array<ArrayBuffer>;
}

type ReadonlyPage = Pick<PageFile, "path" | "bytes">;

/** The pages of a scope for everybody, who may find and read them and must not store into them. */
export type ReadonlyPages =
  & Pick<Pages, "visibility">
  & { readonly sysgenid: ReadonlyPage; readonly vmclock: ReadonlyPage };

/** The published pages of one scope, which always show the same bump. */
export class Pages {
  readonly sysgenid: PageFile;
  readonly vmclock: PageFile;
  readonly found: FoundPages;
  readonly visibility: Visibility;
  readonly #foreign = new ForeignValues();
  /** What this process has stored last; `undefined` while it has stored nothing. */
  #shown: ShownBump | undefined;

  /**
   * Opens the pages of a scope, or makes them with its current generation in them.
   *
   * @throws {Fault} `page-unusable`
   */
  constructor(folder: PageFolder, scope: string, first: Bump) {
    const { generation, epoch } = first;
    const sysgenid = folder.open(scope, "sysgenid", sysgenidBytes(generation));
    this.sysgenid = sysgenid.page;
    const vmclock = this.#openOther(folder, scope, epoch);
    this.vmclock = vmclock.page;
    this.visibility = folder.visibility;
    this.found = {
      generation: sysgenid.found && sysgenidGeneration(sysgenid.found),
      epoch: vmclock.found && vmclockEpoch(vmclock.found),
    };
    if (sysgenid.found === undefined && vmclock.found === undefined) this.#show(first, 0);
  }

  #openOther(folder: PageFolder, scope: string, epoch: bigint): OpenedPage {
    try {
      return folder.open(scope, "vmclock", vmclockBytes(epoch));
    } catch (error) {
      this.sysgenid.close();
      throw error;
    }
  }

  /** Publishes a bump. */
  store(bump: Bump): void {
    const last = this.#shown?.sequence;
    // Set before, so that a store that fails in the middle is mended at the next look.
    this.#show(bump, nextSequence(last ?? vmclockSequence(this.vmclock.bytes())));
    storeSysgenid(this.sysgenid, bump.generation);
    storeVmclock(this.vmclock, bump.epoch, last);
  }

  /** Makes pages that were found those of a bump, whatever they show. */
  mend(bump: Bump): void {
    if (this.#shown === undefined) this.#mend(bump);
  }

  /**
   * Compares the pages with what was stored last, and mends what somebody else has written.
   *
   * @returns What was found there
   * @throws {Fault} `page-unusable` when a page cannot be mended
   */
  inspect(): readonly ForeignPage[] {
    const shown = this.#shown;
    if (shown === undefined) return [];
    const foreign: ForeignPage[] = [];
    if (!this.sysgenid.shows(shown.sysgenid)) {
      foreign.push({ page: "sysgenid", found: sysgenidGeneration(this.sysgenid.bytes()) });
    }
    if (!this.vmclock.shows(shown.vmclock)) {
      foreign.push({ page: "vmclock", found: vmclockEpoch(this.vmclock.bytes()) });
    }
    if (foreign.length === 0) return foreign;
    for (const { found } of foreign) this.#foreign.remember(found);
    this.#mend(shown.bump);
    return foreign;
  }

  /** The next values, past those that somebody else has put into a page: programs may have seen them. */
  unseen(next: Pick<Bump, "generation" | "epoch">): Pick<Bump, "generation" | "epoch"> {
    return this.#foreign.past(next);
  }

  close(): void {
    this.sysgenid.close();
    this.vmclock.close();
  }

  #mend(bump: Bump): void {
    mendSysgenid(this.sysgenid, bump.generation);
    this.#show(bump, mendVmclock(this.vmclock, bump.epoch));
  }

  #show(bump: Bump, sequence: number): void {
    const { generation, epoch } = bump;
    this.#shown = {
      ...{ bump, sequence },
      sysgenid: sysgenidBytes(generation),
      vmclock: vmclockBytes(epoch, sequence),
    };
  }
}
