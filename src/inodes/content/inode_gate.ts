import { Fault } from "../../core/faults.ts";

/**
 * The gate of an inode: every operation enters through it, and closing waits for those inside.
 *
 * ```text
 *        shut()                     the last operation leaves
 * open ─────────▶ closing ──────────────────────────────────▶ shut
 *   ▲                                                          │
 *   └────────────────── reopen(): the write-back failed ───────┘
 * ```
 */
export class InodeGate {
  readonly #id: string;
  #inside = 0;
  #isShut = false;
  #whenEmpty: (() => void) | undefined;

  /** @param id Of the inode */
  constructor(id: string) {
    this.#id = id;
  }

  /** @throws {Fault} `inode-not-found` when the inode is closing or closed */
  requireOpen(): void {
    if (this.#isShut) throw inodeNotFound(this.#id);
  }

  /**
   * Lets an operation in, and out again when it has ended.
   *
   * @throws {Fault} as {@linkcode requireOpen}
   */
  async pass<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.requireOpen();
    this.#inside++;
    try {
      return await operation();
    } finally {
      this.#inside--;
      if (this.#inside === 0) this.#whenEmpty?.();
    }
  }

  /** Lets nothing in any more. Resolves when all operations have left. */
  async shut(): Promise<void> {
    this.#isShut = true;
    if (this.#inside > 0) await new Promise<void>((resolve) => this.#whenEmpty = resolve);
  }

  /** Lets operations in again, because the inode could not be closed. */
  reopen(): void {
    this.#isShut = false;
  }
}

/** The fault of an inode id that stands for nothing. */
export function inodeNotFound(id: string): Fault {
  return new Fault("inode-not-found", `Cannot find inode "${id.slice(0, 80)}": it is not open`);
}
