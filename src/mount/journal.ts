/**
 * What a mount must know to go on in another process: the launcher keeps the device when the daemon
 * ends, and with it every node and every open file that the kernel has (docs/mount.md#8).
 *
 * Each step is noted before it is answered. A step that was noted and not answered comes again, and
 * then a look-up counts once too often: a node that is never forgotten harms nobody.
 *
 * @module
 */
import { MOUNT_JOURNAL_LINES_MAX } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";

/** The process and the watcher of an open sysgenid file. */
export interface SavedWatcher {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly pid: number;
  readonly comm: string;
  readonly startTicks: string;
  /** The epoch that it had confirmed last, in decimal. */
  readonly ackedEpoch: string;
}

/** What is to be known of an open file. */
export interface SavedFile {
  /** The backing file of its maps. */
  readonly backing?: number | undefined;
  /** The path of its own page, where it has one. */
  readonly ownPage?: string | undefined;
  readonly watcher?: SavedWatcher | undefined;
}

/** One step, as a line of JSON. 64-bit numbers are in decimal. */
type Step =
  | readonly ["epoch", number, string]
  | readonly ["node", string, string, number]
  | readonly ["looked", string]
  | readonly ["forgot", string, string]
  | readonly ["opened", string, string, SavedFile]
  | readonly ["polled", string, string]
  | readonly ["acked", string, string]
  | readonly ["closed", string]
  | readonly ["backing", string, number]
  | readonly ["begun", string, string]
  | readonly ["done", string];

interface SavedNode {
  readonly path: string;
  lookups: bigint;
  /** The thread that looked it up, until somebody opens it. */
  readonly lookedUpBy: number;
}

interface SavedHandle {
  readonly node: bigint;
  file: SavedFile;
  poll: bigint | undefined;
}

/** Where the steps are. */
interface StepFile {
  read(): string;
  append(text: string): void;
  /** Puts other content in the place of all, at once. */
  replace(text: string): void;
}

/** The steps of a mount, and what they come to. */
export class MountJournal {
  readonly nodes = new Map<bigint, SavedNode>();
  readonly handles = new Map<bigint, SavedHandle>();
  /** The backing files of published pages. */
  readonly backings = new Map<string, number>();
  /** Changes that are not answered yet, by the number of their request. */
  readonly begun = new Map<bigint, string>();
  readonly #file: StepFile | undefined;
  #epoch = 0;
  #lines = 0;
  /** Whether the file lacks steps, because it could not be written. */
  #isBehind = false;

  readonly #session: string;

  /**
   * @param file Where the steps are; nothing is noted without one, since nobody will go on
   * @param session Names the mount. The steps of another one are nothing to it
   */
  constructor(file?: StepFile, session = "") {
    this.#file = file;
    this.#session = session;
    // A last line that was cut short was not answered either.
    const lines = file?.read().split("\n").filter((line) => line.endsWith("]")) ?? [];
    const steps: readonly Step[] = lines.map((line) => JSON.parse(line));
    if (steps[0]?.[0] === "epoch" && steps[0][2] === session) {
      for (const step of steps) this.#apply(step);
    }
    this.#epoch++;
    this.#compact();
  }

  /** Which of the processes this one is that have served the mount: the first is 1. */
  get epoch(): number {
    return this.#epoch;
  }

  node(node: bigint, path: string, lookedUpBy: number): void {
    this.#note(["node", String(node), path, lookedUpBy]);
  }

  looked(node: bigint): void {
    this.#note(["looked", String(node)]);
  }

  forgot(node: bigint, lookups: bigint): void {
    this.#note(["forgot", String(node), String(lookups)]);
  }

  opened(handle: bigint, node: bigint, file: SavedFile): void {
    this.#note(["opened", String(handle), String(node), file]);
  }

  polled(handle: bigint, poll: bigint): void {
    if (this.handles.get(handle)?.poll !== poll) {
      this.#note(["polled", String(handle), String(poll)]);
    }
  }

  acked(handle: bigint, epoch: bigint): void {
    this.#note(["acked", String(handle), String(epoch)]);
  }

  closed(handle: bigint): void {
    this.#note(["closed", String(handle)]);
  }

  backing(page: string, id: number): void {
    this.#note(["backing", page, id]);
  }

  /** A change begins that must not be made twice. @param mark By which it is known to be made */
  begin(unique: bigint, mark: string): void {
    this.#note(["begun", String(unique), mark]);
  }

  /** A change is answered. */
  done(unique: bigint): void {
    if (this.begun.has(unique)) this.#note(["done", String(unique)]);
  }

  #note(step: Step): void {
    if (this.#file === undefined) return;
    this.#apply(step);
    const isLong = ++this.#lines > MOUNT_JOURNAL_LINES_MAX + 4 * this.#size;
    try {
      if (isLong || this.#isBehind) this.#compact();
      else this.#file.append(`${JSON.stringify(step)}\n`);
    } catch (error) {
      // A close must go on all the same. All of it is written as soon as there is room again.
      if (!(error instanceof SystemError)) throw error;
      this.#isBehind = true;
    }
  }

  get #size(): number {
    return this.nodes.size + this.handles.size + this.backings.size;
  }

  #compact(): void {
    const steps = [...this.#steps()];
    this.#file?.replace(steps.map((step) => `${JSON.stringify(step)}\n`).join(""));
    this.#lines = steps.length;
    this.#isBehind = false;
  }

  *#steps(): Iterable<Step> {
    yield ["epoch", this.#epoch, this.#session];
    for (const [page, id] of this.backings) yield ["backing", page, id];
    for (const [node, { path, lookups, lookedUpBy }] of this.nodes) {
      yield ["node", String(node), path, lookedUpBy];
      // One is counted by the line above; a negative number of forgotten ones are looked up.
      if (lookups !== 1n) yield ["forgot", String(node), String(1n - lookups)];
    }
    for (const [handle, { node, file, poll }] of this.handles) {
      yield ["opened", String(handle), String(node), file];
      if (poll !== undefined) yield ["polled", String(handle), String(poll)];
    }
    for (const [unique, mark] of this.begun) yield ["begun", String(unique), mark];
  }

  #apply(step: Step): void {
    switch (step[0]) {
      case "epoch":
        this.#epoch = step[1];
        return;
      case "node":
        this.nodes.set(BigInt(step[1]), { path: step[2], lookups: 1n, lookedUpBy: step[3] });
        return;
      case "backing":
        this.backings.set(step[1], step[2]);
        return;
      case "begun":
        this.begun.set(BigInt(step[1]), step[2]);
        return;
      case "done":
        this.begun.delete(BigInt(step[1]));
        return;
      case "looked":
      case "forgot":
        return this.#count(BigInt(step[1]), step[0] === "looked" ? -1n : BigInt(step[2]));
      default:
        return this.#applyToHandle(step);
    }
  }

  #count(node: bigint, forgotten: bigint): void {
    const saved = this.nodes.get(node);
    if (saved === undefined) return;
    saved.lookups -= forgotten;
    if (saved.lookups <= 0n) this.nodes.delete(node);
  }

  #applyToHandle(
    step: Extract<Step, readonly ["opened" | "polled" | "acked" | "closed", ...unknown[]]>,
  ): void {
    const handle = BigInt(step[1]);
    const saved = this.handles.get(handle);
    if (step[0] === "opened") {
      const node = BigInt(step[2]);
      const known = this.nodes.get(node);
      if (known !== undefined) this.nodes.set(node, { ...known, lookedUpBy: 0 });
      this.handles.set(handle, { node, file: step[3], poll: undefined });
    } else if (step[0] === "closed") this.handles.delete(handle);
    else if (saved === undefined) return;
    else if (step[0] === "polled") saved.poll = BigInt(step[2]);
    else if (saved.file.watcher !== undefined) {
      saved.file = { ...saved.file, watcher: { ...saved.file.watcher, ackedEpoch: step[2] } };
    }
  }
}
