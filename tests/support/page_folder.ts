import { PAGE_BYTES } from "../../src/core/limits.ts";
import type { OpenedPage, PageFile, PageFolder } from "../../src/core/ports/page_file.ts";

/** Pages in memory, which outlive the folder object as files do. */
export class MemoryPages implements PageFolder {
  readonly words = new Map<string, number>();
  /** Called at each store, before it happens. */
  onStore: (scope: string, generation: number) => void = () => {};

  open(scope: string, initial: number): OpenedPage {
    const found = this.words.get(scope);
    if (found === undefined) this.words.set(scope, initial);
    const page: PageFile = {
      path: `/memory/${scope}/sysgenid`,
      store: (generation) => {
        this.onStore(scope, generation);
        this.words.set(scope, generation);
      },
      bytes: () => {
        const page = new Uint32Array(PAGE_BYTES / 4);
        page[0] = this.words.get(scope) ?? 0;
        return new Uint8Array(page.buffer);
      },
      close: () => {},
    };
    return { page, found };
  }
}
