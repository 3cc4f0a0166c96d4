import { Fault } from "../../core/faults.ts";
import { intersection, maxOf, minOf, type Range } from "../../core/segments.ts";
import type { DirtyLog } from "../writeback/dirty_log.ts";
import type { MappedPages } from "./mapped_pages.ts";
import type { PageCache } from "../cache/page_cache.ts";
import { pageEnd } from "../cache/residency.ts";
import {
  type BusError,
  maxFillRange,
  type Translated,
  type TranslateRequest,
} from "./translation.ts";

/** What a translator is put together from. */
interface TranslatorParts {
  readonly cache: PageCache;
  readonly dirty: DirtyLog;
  readonly maps: MappedPages;
}

/** Brings mapped bytes into the cache file and says where they are there (gVisor's `Translate`). */
export class Translator {
  readonly #parts: TranslatorParts;

  constructor(parts: TranslatorParts) {
    this.#parts = parts;
  }

  /**
   * Translates the required range, with what lies around it. `holder` holds what is returned, and
   * pages that may be written count as dirty from now on.
   *
   * @param require Throws when it must not be translated any more; called after each wait
   * @throws {Fault} `cache-full`, and what `require` throws
   */
  async translate(
    request: TranslateRequest,
    holder: string,
    require: () => void,
  ): Promise<Translated> {
    const { cache, dirty, maps } = this.#parts;
    const { required, isWrite } = request;
    for (;;) {
      const failed = await this.#fetchAll(required);
      if (isWrite) {
        const wanted = this.#translatable(request);
        if (!dirty.admits(wanted) && !await dirty.relieve(wanted)) throw cache.fullFault();
      }
      require();
      const found = this.#translated(request, failed);
      // A foreign change may have taken pages away meanwhile.
      if (found === undefined) continue;
      for (const { source } of found.translations) {
        maps.hold(holder, source);
        if (isWrite) dirty.keepDirty(source);
      }
      return found;
    }
  }

  /** Brings a range into the cache. Returns where and why that failed. */
  async #fetchAll({ start, end }: Range): Promise<BusError | undefined> {
    const { cache, dirty } = this.#parts;
    for (let at = start; at < minOf(end, pageEnd(dirty.size));) {
      const run = cache.resident.at(at);
      if (run !== undefined) at = run.end;
      else {
        try {
          if (await cache.fetch(at, end) === "uncached") throw cache.fullFault();
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          return { offset: at, fault: error };
        }
      }
    }
    return undefined;
  }

  /** What a translation may return: mapped, worth having, and not behind the last page. */
  #translatable({ required, optional, isWrite }: TranslateRequest): Range {
    const end = pageEnd(this.#parts.dirty.size);
    const wanted = { start: required.start, end: minOf(required.end, end) };
    if (wanted.start >= wanted.end) return wanted;
    const mapped = intersection(this.#parts.maps.mappedAround(required, optional, isWrite), {
      start: 0n,
      end,
    });
    return maxFillRange(wanted, mapped);
  }

  /** What of a request is in the cache; `undefined` when pages are missing for no known reason. */
  #translated(request: TranslateRequest, failed: BusError | undefined): Translated | undefined {
    const { cache, dirty } = this.#parts;
    const { required: { start, end }, isWrite } = request;
    const run = cache.resident.at(start);
    const source = run === undefined
      ? { start, end: start }
      : intersection(run, this.#translatable(request));
    const reached = maxOf(source.end, start);
    if (reached < minOf(end, pageEnd(dirty.size)) && failed === undefined) return undefined;
    const eof = { offset: pageEnd(dirty.size), fault: undefined };
    return {
      translations: source.start >= source.end ? [] : [{
        source,
        file: cache.file.path,
        identity: cache.file.identity,
        offset: source.start,
        permissions: { write: isWrite },
      }],
      busError: reached >= end ? undefined : failed ?? eof,
    };
  }
}
