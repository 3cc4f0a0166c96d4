import type { OpenedPage, PageFile, PageFolder, Visibility } from "../core/ports/page_file.ts";
import type { Bump } from "./bump.ts";
import { storeSysgenid, sysgenidBytes, sysgenidGeneration } from "./sysgenid_page.ts";
import { isVmclockAt, storeVmclock, vmclockBytes, vmclockEpoch } from "./vmclock_page.ts";

/** What the pages showed when they were opened. */
export interface FoundPages {
  /** `undefined` when the page was made just now. */
  readonly generation: number | undefined;
  readonly epoch: bigint | undefined;
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

  /**
   * Opens the pages of a scope, or makes them with its current generation in them.
   *
   * @throws {Fault} `page-unusable`
   */
  constructor(folder: PageFolder, scope: string, { generation, epoch }: Bump) {
    const sysgenid = folder.open(scope, "sysgenid", sysgenidBytes(generation));
    this.sysgenid = sysgenid.page;
    const vmclock = this.#openOther(folder, scope, epoch);
    this.vmclock = vmclock.page;
    this.visibility = folder.visibility;
    this.found = {
      generation: sysgenid.found && sysgenidGeneration(sysgenid.found),
      epoch: vmclock.found && vmclockEpoch(vmclock.found),
    };
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
  store({ generation, epoch }: Bump): void {
    storeSysgenid(this.sysgenid, generation);
    storeVmclock(this.vmclock, epoch);
  }

  /** Stores the bump into the pages that do not show it or were left in the middle of a store. */
  mend({ generation, epoch }: Bump): void {
    if (sysgenidGeneration(this.sysgenid.bytes()) !== generation) {
      storeSysgenid(this.sysgenid, generation);
    }
    if (!isVmclockAt(this.vmclock.bytes(), epoch)) storeVmclock(this.vmclock, epoch);
  }

  close(): void {
    this.sysgenid.close();
    this.vmclock.close();
  }
}
