import type { Processes, ProcessIdentity } from "../../src/core/ports/processes.ts";

/** A host whose processes a test starts and kills. */
export class FakeProcesses implements Processes {
  readonly #alive = new Set<number>();
  #nextPid = 100;

  start(): ProcessIdentity {
    const pid = this.#nextPid++;
    this.#alive.add(pid);
    return { bootId: "boot-1", pidNamespace: "4026531836", pid, startTime: String(10 * pid) };
  }

  kill({ pid }: ProcessIdentity): void {
    this.#alive.delete(pid);
  }

  isPeer({ bootId, pid, startTime }: ProcessIdentity): boolean {
    return bootId === "boot-1" && this.#alive.has(pid) && startTime === String(10 * pid);
  }

  isGone({ bootId, pid }: ProcessIdentity): boolean {
    return bootId === "boot-1" && !this.#alive.has(pid);
  }
}
