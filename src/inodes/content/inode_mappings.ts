import { Fault } from "../../core/faults.ts";
import type { EventFact } from "../../core/ports/events.ts";
import type { Range } from "../../core/segments.ts";
import type { MappedPages } from "../mapping/mapped_pages.ts";
import type { Mapping } from "../mapping/mapping_set.ts";
import type { Translated, TranslateRequest } from "../mapping/translation.ts";
import type { InodeGate } from "./inode_gate.ts";

/** Logs something that happened to an inode. */
export type EmitFact = (fact: Omit<EventFact, "subject">) => void;

/** What the mappings of an inode are put together from. */
interface InodeMappingsParts {
  readonly gate: InodeGate;
  readonly maps: MappedPages;
  /**
   * Translates a range that is mapped.
   *
   * @param require Throws when the request is no longer valid; called after each wait
   */
  readonly translate: (
    request: TranslateRequest,
    holder: string,
    require: () => void,
  ) => Promise<Translated>;
  /** Called with ranges that no mapping has any more. */
  readonly onUnmapped: (ranges: readonly Range[]) => void;
  /** Throws when the inode is read-only. */
  readonly requireWritable: () => void;
  /** Throws when a holder does not hold the inode. */
  readonly requireHolder: (holder: string, action: string) => void;
  readonly emit: EmitFact;
}

/** Who maps an inode, and where its mapped bytes are (gVisor's `memmap.Mappable`). */
export class InodeMappings {
  readonly #parts: InodeMappingsParts;

  constructor(parts: InodeMappingsParts) {
    this.#parts = parts;
  }

  list(): readonly Mapping[] {
    return this.#parts.maps.list();
  }

  /**
   * Adds a mapping. Its pages stay in the cache from now on.
   *
   * @returns The ranges that no mapping had before
   * @throws {Fault} `value-not-allowed`, `mappings-exhausted`, `inode-read-only`
   */
  add(mapping: Mapping): Range[] {
    const { gate, maps, requireWritable } = this.#parts;
    gate.requireOpen();
    if (mapping.isWritable) requireWritable();
    const fresh = maps.add(mapping);
    this.#emit("inode.mapped", mapping);
    return fresh;
  }

  /**
   * Adds what a mapping maps at another address as well.
   *
   * @throws {Fault} `mapping-not-found`, and as {@linkcode add}
   */
  copy(source: Mapping, address: bigint): Range[] {
    this.#parts.gate.requireOpen();
    const fresh = this.#parts.maps.copy(source, address);
    this.#emit("inode.mapped", { ...source, address });
    return fresh;
  }

  /**
   * Removes a mapping or a part of one.
   *
   * @returns The ranges that no mapping has any more
   * @throws {Fault} `value-not-allowed`, `mapping-not-found`
   */
  remove(mapping: Mapping): Range[] {
    this.#parts.gate.requireOpen();
    const gone = this.#parts.maps.remove(mapping);
    this.#parts.onUnmapped(gone);
    this.#emit("inode.unmapped", mapping);
    return gone;
  }

  /** Removes all mappings, because the process that they reach through ends. */
  removeAll(): void {
    const { maps, onUnmapped } = this.#parts;
    for (const mapping of maps.list()) onUnmapped(maps.remove(mapping));
  }

  /**
   * Says where mapped bytes are, bringing them into the cache.
   *
   * @param holder Holds what is returned until it ends, or its mapping does
   * @throws {Fault} `holder-not-found`, `not-mapped`, `value-not-allowed`, `cache-full`,
   * `state-unavailable`
   */
  translate(request: TranslateRequest, holder: string): Promise<Translated> {
    const { gate, maps, requireHolder } = this.#parts;
    const { required, optional, isWrite } = request;
    return gate.pass(async () => {
      const require = (): void => {
        requireHolder(holder, "translate");
        maps.requireMapped(required, isWrite);
      };
      if (optional.start > required.start || optional.end < required.end) {
        throw new Fault(
          "value-not-allowed",
          `Cannot translate ${required.start}-${required.end}: it must lie in the optional range`,
        );
      }
      require();
      const mapped = maps.mappedAround(required, optional, isWrite);
      return await this.#parts.translate({ ...request, optional: mapped }, holder, require);
    });
  }

  /** @throws {Fault} `value-not-allowed` */
  addReference(range: Range): void {
    this.#parts.gate.requireOpen();
    this.#parts.maps.incRef(range);
  }

  /** @throws {Fault} `value-not-allowed`, `reference-not-found` */
  removeReference(range: Range): void {
    this.#parts.gate.requireOpen();
    this.#parts.maps.decRef(range);
  }

  /** Ends the translations of a holder; `andSpace` also the mappings of the space of its name. */
  endHolder(holder: string, andSpace = false): void {
    const { maps, onUnmapped } = this.#parts;
    maps.endHolder(holder);
    if (andSpace) onUnmapped(maps.removeSpace(holder));
  }

  /** Ends the translations of a range, because they no longer hold. */
  invalidate(range: Range, reason: string): void {
    for (const mapping of this.#parts.maps.invalidate(range)) {
      this.#emit("inode.invalidated", mapping, reason);
    }
  }

  #emit(kind: string, { space, address, range, isWritable }: Mapping, reason?: string): void {
    const { start, end } = range;
    const data = { space, address, offset: start, length: end - start, writable: isWritable };
    this.#parts.emit({ kind, ...(reason === undefined ? {} : { reason }), data });
  }
}
