import { RESEED_REQUESTS_MAX } from "../core/limits.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Guest } from "../guests/guest/guest.ts";
import type { ReseedLine, ReseedRequest } from "../guests/linux/reseed_line.ts";
import { ReseedSession } from "./reseed.ts";

/** The conversations with the reseeders of all Linux guests. */
export class Reseeders {
  /** By the guest's id. */
  readonly #sessions = new Map<string, ReseedSession>();

  /**
   * Registers the reseeder that a snapshot has, before the clone is made.
   *
   * @throws {Fault} as {@linkcode ReseedSession.open}
   */
  async expect(scope: LiveScope, guest: string, name: string): Promise<void> {
    this.#sessions.set(guest, await ReseedSession.open(scope, guest, name));
  }

  /** Listens to a guest's reseeder. A bare guest has none. */
  follow(scope: LiveScope, guest: Guest): void {
    const line = guest.machine?.reseedLine;
    if (line === undefined) return;
    const waiting: ReseedRequest[] = [];
    let isWorking = false;
    const work = async (): Promise<void> => {
      isWorking = true;
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await this.#take(scope, guest, line, next);
      }
      isWorking = false;
    };
    line.onRequest((request) => {
      // A guest that says more than it is answered is told so, and says again what still counts.
      if (waiting.length >= RESEED_REQUESTS_MAX) {
        return line.error("too many requests: say it again");
      }
      waiting.push(request);
      if (!isWorking) void work();
    });
    this.#sessions.get(guest.id)?.attach(line);
  }

  async #take(
    scope: LiveScope,
    guest: Guest,
    line: ReseedLine,
    request: ReseedRequest,
  ): Promise<void> {
    if (guest.death !== undefined) return;
    const session = this.#sessions.get(guest.id);
    if (session !== undefined) return void session.receive(request);
    if (request.word !== "watch") return line.error("say watch first");
    try {
      await this.expect(scope, guest.id, request.name);
      this.#sessions.get(guest.id)?.attach(line);
      if (guest.death !== undefined) await this.lose(guest.id);
    } catch {
      line.error("cannot watch now: say it again");
    }
  }

  /** A guest died. */
  async lose(guest: string): Promise<void> {
    await this.#sessions.get(guest)?.lose();
  }

  /** A guest was taken away, or was not made after all. */
  async release(guest: string): Promise<void> {
    const session = this.#sessions.get(guest);
    this.#sessions.delete(guest);
    await session?.release();
  }
}
