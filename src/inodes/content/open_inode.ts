/**
 * The life of an inode:
 *
 * ```text
 *                   last release              written back
 *   open ────────────────────────▶ closing ─────────────────▶ closed
 *    ▲                              │   │                        ▲
 *    └────── write-back failed ─────┘   └─────── abandoned ──────┘
 *                                       (the journal has the rest)
 * ```
 *
 * Operations enter by the gate while it is open. It closes after those under way.
 *
 * @module
 */
import { Fault } from "../../core/faults.ts";
import type { Range } from "../../core/segments.ts";
import { MappedPages } from "../mapping/mapped_pages.ts";
import type { Translated, TranslateRequest } from "../mapping/translation.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import { InodeGate } from "./inode_gate.ts";
import type { InodeIdentity } from "./inode_facts.ts";
import { type EmitFact, InodeMappings } from "./inode_mappings.ts";

/** Which inode it is. */
export interface OpenInodeParts {
  readonly identity: InodeIdentity;
  readonly key: string;
  readonly isHidden: boolean;
  readonly emit: EmitFact;
}

/** Who an inode is, who holds it and who has mapped it, and how it closes. */
export abstract class OpenInode {
  readonly identity: InodeIdentity;
  /** Whether clients cannot find it: the overlays of guests' disks are the daemon's own. */
  readonly isHidden: boolean;
  readonly holders = new Set<string>();
  readonly mappings: InodeMappings;
  /** Names the file, so that everybody who opens it shares the inode. A reopen can change it. */
  key: string;
  protected readonly emit: EmitFact;
  protected readonly gate: InodeGate;
  protected readonly maps = new MappedPages();

  constructor({ identity, key, isHidden, emit }: OpenInodeParts) {
    this.identity = identity;
    this.isHidden = isHidden;
    this.key = key;
    this.emit = emit;
    this.gate = new InodeGate(identity.id);
    this.mappings = new InodeMappings({
      ...{ gate: this.gate, maps: this.maps, emit },
      requireWritable: () => this.requireWritable(),
      requireHolder: (holder, action) => this.requireHolder(holder, action),
      translate: (...request) => this.translateMapped(...request),
      onUnmapped: (ranges) => this.unmapped(ranges),
    });
  }

  /** @throws {Fault} `holder-not-found` */
  requireHolder(holder: string, action: string): void {
    if (this.holders.has(holder)) return;
    throw new Fault(
      "holder-not-found",
      `Cannot ${action} inode ${this.identity.id}: "${holder}" does not hold it`,
    );
  }

  /**
   * Writes back and closes the files, after all operations under way. New ones are refused.
   *
   * @throws {Fault} `inode-mapped`, or of the write-back: the inode stays open
   */
  async close(): Promise<void> {
    this.maps.requireUnmapped(this.identity.id);
    await this.gate.shut();
    try {
      await this.writeBack(WHOLE);
    } catch (error) {
      this.gate.reopen();
      throw error;
    }
    await this.closeFiles();
  }

  /** Closes the files although a write-back failed. The journal remembers the dirty ranges. */
  async abandon(): Promise<void> {
    await this.gate.shut();
    await this.closeFiles();
  }

  /** @throws {Fault} `inode-read-only` */
  protected requireWritable(): void {
    if (this.identity.access === "rw") return;
    throw new Fault(
      "inode-read-only",
      `Cannot write inode ${this.identity.id}: it was opened with access "ro"`,
    );
  }

  /** As {@linkcode InodeMappings.translate}, in this cache mode. */
  protected abstract translateMapped(
    request: TranslateRequest,
    holder: string,
    require: () => void,
  ): Promise<Translated>;
  /** Lets ranges that no mapping has any more become clean. */
  protected abstract unmapped(ranges: readonly Range[]): void;
  /** Writes dirty bytes and times back, without asking for stable storage. */
  protected abstract writeBack(range: Range): Promise<void>;
  /** Closes the files. No operation may be under way. */
  protected abstract closeFiles(): Promise<void>;
}
