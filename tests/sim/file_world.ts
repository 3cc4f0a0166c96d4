/**
 * A life of one scope among processes that watch it through files of the mount: they open, track,
 * confirm, fork, close and die, while the daemon is killed between any two steps. Sometimes the launcher
 * keeps the mount, and the next daemon goes on with what is open; sometimes the mount dies with the
 * daemon. Every choice comes from one seed.
 *
 * @module
 */
import { admin } from "../../src/access/tokens.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { Scopes } from "../../src/generations/scopes.ts";
import { FileWatchers, sysgenidPath } from "../../src/mount/file_watchers.ts";
import type { SavedWatcher } from "../../src/mount/journal.ts";
import { inodeNumber } from "../../src/mount/nodes.ts";
import type { FileId, FilesInUse } from "../../src/native/open_files.ts";
import { FakeClock } from "../support/clock.ts";
import { CrashingLedger, CrashPoint } from "../support/crash_point.ts";
import { CollectedEvents } from "../support/events.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { MemoryPages } from "../support/page_folder.ts";
import { SeededRandom } from "../support/random.ts";
import { Broken } from "./world.ts";

const SCOPE = "sim";
const PROCESSES_MAX = 6;

/** An open file as it really is, whatever the daemon thinks. */
interface OpenFile {
  /** Processes that have it. */
  readonly holders: Set<number>;
  readonly opener: number;
  readonly mount: bigint;
  saved: SavedWatcher;
  isTracked: boolean;
  confirmed: bigint;
  /** Its process has opened the file again since the mount died. */
  isReplaced: boolean;
}

/** The simulation. */
export class FileWorld {
  readonly counts = { opened: 0, handedOver: 0, mountsLost: 0, bumps: 0, left: 0 };
  readonly #random: SeededRandom;
  readonly #clock = new FakeClock();
  readonly #ledger = new MemoryLedger();
  readonly #pages = new MemoryPages();
  #point = new CrashPoint();
  #scope!: LiveScope;
  #watchers!: FileWatchers;
  #mount = 40n;
  #files: OpenFile[] = [];
  #processes: number[] = [];
  #lastPid = 100;
  /** Who has opened a file last. */
  #mayReplace = 0;
  /** Tracked files that were closed late since the last bump, while this daemon has lived. */
  #leftLate = new Set<string>();

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  /** Lives through so many steps, and then lets everything end. @throws {Broken} */
  async live(steps: number): Promise<void> {
    await this.#start();
    for (let step = 0; step < steps; step++) {
      if (this.#random.below(12) === 0) this.#point.left = this.#random.below(4);
      await this.#act();
      if (this.#point.left < 0) await this.#restart();
    }
    this.#point.left = Infinity;
    for (const pid of this.#processes.splice(0)) await this.#die(pid);
    await this.#watchers.releaseGone();
    const { watchers } = this.#scope.state.counts;
    if (watchers > 0) throw new Broken(`${watchers} watchers are left of processes that are gone`);
  }

  async #start(): Promise<void> {
    this.#point = new CrashPoint();
    const scopes = await Scopes.open({
      ledger: new CrashingLedger(this.#ledger, this.#point),
      pages: this.#pages,
      clock: this.#clock,
      random: this.#random,
      events: new CollectedEvents(),
    });
    await scopes.put(SCOPE, DEFAULT_OPTIONS);
    this.#scope = scopes.get(SCOPE);
    const search = { filesInUse: (wanted: ReadonlySet<FileId>) => this.#inUse(wanted) };
    this.#watchers = new FileWatchers(scopes, search, { device: this.#mount, boot: "b" });
    this.#leftLate.clear();
  }

  /** The daemon was killed; whoever has a file still has it. */
  async #restart(): Promise<void> {
    const isLent = this.#random.below(2) === 0;
    if (isLent) this.counts.handedOver++;
    else {
      this.counts.mountsLost++;
      this.#mount++;
    }
    await this.#start();
    for (const { mount, saved } of this.#files) {
      if (mount === this.#mount) await this.#watchers.reopen(this.#scope, saved);
    }
    await this.#watchers.releaseGone();
    // The daemon may have been killed when the ledger had the release already.
    for (const file of this.#files) {
      if (this.#mayReplace === file.opener && !this.#scope.state.has(file.saved.id)) {
        file.isReplaced = file.mount !== this.#mount;
      }
    }
    this.#mayReplace = 0;
  }

  /** What /proc shows. */
  #inUse(wanted: ReadonlySet<FileId>): Promise<FilesInUse> {
    const inode = inodeNumber(sysgenidPath(SCOPE));
    const all = this.#files.map(({ mount }): FileId => `${mount}:${inode}`);
    const found = new Set(all.filter((file) => wanted.has(file)));
    return Promise.resolve({ found, unseenTicks: undefined });
  }

  async #act(): Promise<void> {
    const served = this.#files.filter(({ mount }) => mount === this.#mount);
    const file = served.length === 0 ? undefined : this.#random.pick(served);
    const pid = this.#processes.length === 0 ? undefined : this.#random.pick(this.#processes);
    this.#clock.advance(this.#random.below(50));
    switch (this.#random.below(10)) {
      case 0:
        if (this.#processes.length < PROCESSES_MAX) this.#processes.push(++this.#lastPid);
        return;
      case 1:
      case 2:
        return pid === undefined ? undefined : await this.#open(pid);
      case 3:
        return file === undefined ? undefined : await this.#track(file);
      case 4:
      case 5:
        return file === undefined ? undefined : this.#confirm(file);
      case 6:
        return await this.#bump();
      case 7:
        return await this.#barrier();
      case 8:
        return pid === undefined ? undefined : await this.#forkOrDie(pid);
      case 9:
        return void await this.#watchers.releaseGone().catch(() => {});
    }
  }

  async #open(pid: number): Promise<void> {
    this.#mayReplace = pid;
    const before = new Set([...this.#scope.state.watchers].map(({ id }) => id));
    const info = {
      pid,
      comm: "app",
      startTicks: String(pid),
      capabilities: 0n,
      isOurNamespace: true,
    };
    try {
      const saved = await this.#watchers.open(this.#scope, `app-${pid}`, info, admin("test"));
      this.#files.push({
        ...{ holders: new Set([pid]), opener: pid, mount: this.#mount, saved },
        ...{ isTracked: false, confirmed: BigInt(saved.ackedEpoch), isReplaced: false },
      });
    } catch {
      // The daemon was killed: the kernel asks the next one, or the program sees an error.
    }
    for (const { id } of this.#scope.state.watchers) before.delete(id);
    for (const file of this.#files) {
      if (!before.has(file.saved.id)) continue;
      if (file.opener !== pid || file.mount === this.#mount) {
        throw new Broken(`${file.saved.name} was released by an open of ${pid}`);
      }
      file.isReplaced = true;
    }
  }

  async #track(file: OpenFile): Promise<void> {
    try {
      await this.#scope.watchers.track(file.saved.id, true);
      file.isTracked = true;
    } catch {
      // Not answered, so the program cannot rely on it.
    }
  }

  #confirm(file: OpenFile): void {
    const { generation, epoch } = this.#scope.state;
    this.#scope.watchers.ack(file.saved.id, generation);
    file.confirmed = epoch;
    file.saved = { ...file.saved, ackedEpoch: String(epoch) };
  }

  async #bump(): Promise<void> {
    try {
      await this.#scope.bump({ reason: "sim", by: "sim" });
      this.counts.bumps++;
      this.#leftLate.clear();
    } catch {
      // Killed; the next life tells whether it was made.
    }
  }

  /** (a) whoever is tracked has confirmed or has left, and (b) who left is not counted as confirmed. */
  async #barrier(): Promise<void> {
    const open = await this.#scope.barrier({}, { waitMs: 0 }).catch(() => undefined);
    if (open === undefined) return;
    this.counts.opened++;
    for (const { saved, isTracked, isReplaced, confirmed } of this.#files) {
      if (!isTracked || isReplaced || confirmed === open.epoch) continue;
      throw new Broken(`the barrier opened and ${saved.name} has not confirmed ${open.epoch}`);
    }
    const departed = new Set(open.departed.map(({ id }) => id));
    for (const id of this.#leftLate) {
      if (!departed.has(id)) throw new Broken(`${id} was closed late and is not named`);
    }
    if (open.confirmed.some(({ id }) => departed.has(id))) {
      throw new Broken("somebody left and counts as having confirmed");
    }
  }

  async #forkOrDie(pid: number): Promise<void> {
    if (this.#random.below(2) === 0) {
      const child = ++this.#lastPid;
      this.#processes.push(child);
      for (const { holders } of this.#files) if (holders.has(pid)) holders.add(child);
      return;
    }
    this.#processes = this.#processes.filter((one) => one !== pid);
    await this.#die(pid);
  }

  async #die(pid: number): Promise<void> {
    for (const file of [...this.#files]) {
      file.holders.delete(pid);
      if (file.holders.size > 0) continue;
      this.#files = this.#files.filter((one) => one !== file);
      if (file.mount === this.#mount) await this.#close(file);
    }
  }

  /** The kernel asks the next daemon to close it, when this one does not answer. */
  async #close(file: OpenFile): Promise<void> {
    const { state } = this.#scope;
    const { id } = file.saved;
    const isLate = file.isTracked && state.has(id) && state.isOutdated(state.watcher(id));
    try {
      await this.#scope.watchers.release(id);
      this.counts.left++;
      if (isLate) this.#leftLate.add(id);
    } catch {
      // It is held after the restart, and found to be gone.
    }
  }
}
