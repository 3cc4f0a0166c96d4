import { Fault } from "../../core/faults.ts";
import { intersection, maxOf, minOf, type Range } from "../../core/segments.ts";
import type { Backing } from "../backing/backing.ts";
import type { CacheBudget } from "../cache/cache_budget.ts";
import type { DirtLog } from "../writeback/dirty_log.ts";
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
  readonly backing: Backing;
  readonly cache: PageCache;
  readonly budget: CacheBudget;
  readonly dirt: DirtLog;
  readonly maps: MappedPages;
}

/** Says where mapped bytes are in the cache file, and brings them there (seed 001, `Translate`). */
export class Translator {
  readonly #parts: TranslatorParts;

  constructor(parts: TranslatorParts) {
    this.#parts = parts;
  }

  /**
   * Translates what is required, with what lies around it. What is returned is held by `holder`,
   * and dirty from now on when it may be written.
   *
   * @param require Throws when it is not to be translated any more; called after each wait
   * @throws {Fault} `cache-full`, and what `require` throws
   */
  async translate(
    request: TranslateRequest,
    holder: string,
    require: () => void,
  ): Promise<Translated> {
    const { backing, budget, dirt, maps } = this.#parts;
    const { required, isWrite } = request;
    for (;;) {
      const failed = await this.#fetchAll(required);
      if (isWrite) {
        const fresh = dirt.cleanWithin(this.#translatable(request));
        if (!budget.admitsDirt(fresh) && !await budget.relieve(fresh)) {
          throw budget.fullFault(backing.name);
        }
      }
      require();
      const found = this.#translated(request, failed);
      // A change from outside may have taken pages away meanwhile.
      if (found === undefined) continue;
      for (const { source } of found.translations) {
        maps.hold(holder, source);
        if (isWrite) dirt.keepDirty(source);
      }
      return found;
    }
  }

  /** Brings a range into the cache. Returns where and why that failed. */
  async #fetchAll({ start, end }: Range): Promise<BusError | undefined> {
    const { backing, budget, cache, dirt } = this.#parts;
    for (let at = start; at < minOf(end, pageEnd(dirt.size));) {
      const run = cache.resident.at(at);
      if (run !== undefined) at = run.end;
      else {
        try {
          if (await cache.fetch(at, end) === "uncached") throw budget.fullFault(backing.name);
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
    const end = pageEnd(this.#parts.dirt.size);
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
    const { cache, dirt } = this.#parts;
    const { required: { start, end }, isWrite } = request;
    const run = cache.resident.at(start);
    const source = run === undefined
      ? { start, end: start }
      : intersection(run, this.#translatable(request));
    const reached = maxOf(source.end, start);
    if (reached < minOf(end, pageEnd(dirt.size)) && failed === undefined) return undefined;
    const eof = { offset: pageEnd(dirt.size), fault: undefined };
    return {
      translations: source.start >= source.end ? [] : [{
        source,
        file: cache.file.path,
        offset: source.start,
        permissions: { write: isWrite },
      }],
      busError: reached >= end ? undefined : failed ?? eof,
    };
  }
}
