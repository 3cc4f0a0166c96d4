import { PAGE_BYTES } from "../../src/core/limits.ts";
import {
  type OpenedPage,
  PAGE_NAMES,
  type PageFile,
  type PageFolder,
  type PageName,
} from "../../src/core/ports/page_file.ts";
import { sysgenidGeneration } from "../../src/generations/sysgenid_page.ts";

/** Pages in memory. They outlive the folder object, as files do. */
export class MemoryPages implements PageFolder {
  readonly visibility = "all";
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Called before each store. If it throws, that stands for a crash there. */
  onStore: (scope: string, name: PageName, offset: number) => void = () => {};

  open(scope: string, name: PageName, initial: Uint8Array<ArrayBuffer>): OpenedPage {
    const key = `${scope}/${name}`;
    const found = this.files.get(key)?.slice();
    const bytes = this.files.get(key) ?? new Uint8Array(PAGE_BYTES);
    if (found === undefined) bytes.set(initial);
    this.files.set(key, bytes);
    const view = new DataView(bytes.buffer);
    const page: PageFile = {
      path: `/memory/${key}`,
      store: (stores) => {
        for (const [offset, word] of stores) {
          this.onStore(scope, name, offset);
          view.setBigUint64(offset, word, true);
        }
      },
      bytes: () => bytes.slice(),
      shows: (head) => bytes.every((byte, at) => byte === (head[at] ?? 0)),
      close: () => {},
    };
    return { page, found };
  }

  /** Scopes whose pages somebody has. */
  readonly inUse = new Set<string>();

  reclaim(scopes: readonly string[]): Promise<readonly string[]> {
    const gone = scopes.filter((scope) => !this.inUse.has(scope));
    for (const scope of gone) {
      for (const name of PAGE_NAMES) this.files.delete(`${scope}/${name}`);
    }
    return Promise.resolve(gone);
  }

  /** The generation that a scope's sysgenid page shows. */
  generation(scope: string): number | undefined {
    const bytes = this.files.get(`${scope}/sysgenid`);
    return bytes && sysgenidGeneration(bytes);
  }

  /** Writes a generation into a sysgenid page, as somebody else would. */
  tamper(scope: string, generation: number): void {
    this.files.get(`${scope}/sysgenid`)?.set(new Uint8Array(Uint32Array.of(generation).buffer));
  }
}
