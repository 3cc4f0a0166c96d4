import { Fault } from "../core/faults.ts";
import type { Processes, ProcessIdentity } from "../core/ports/processes.ts";
import type { Random } from "../core/ports/random.ts";
import type { Changes } from "./changes.ts";
import { hashToken, mintToken } from "./resume_token.ts";
import {
  judgeResumption,
  mayAdopt,
  notOwned,
  type Registrant,
  type Resumption,
} from "./resumption.ts";
import type { Scope } from "./scope.ts";
import type { Credentials, HttpWatchRequest, WatchRequest } from "./watch_request.ts";
import { NEVER_CONFIRMED, type Watcher } from "./watcher.ts";
import type { WatcherRows } from "./watcher_rows.ts";

/** A watcher over HTTP that was registered or changed. */
export interface HttpWatching {
  readonly watcher: Watcher;
  readonly created: boolean;
  /** The next token, where it was given one. */
  readonly token?: string;
}

/** What watchers over HTTP share with those that have a connection. */
interface HttpParts {
  readonly scope: Scope;
  readonly changes: Changes;
  readonly rows: WatcherRows;
  readonly random: Random;
  readonly processes: Processes;
  newcomer(
    id: string,
    request: WatchRequest,
    ackedEpoch: bigint,
    by: Registrant | undefined,
  ): Watcher;
  register(watcher: Watcher): Promise<Watcher>;
  resume(
    resumption: Exclude<Resumption, { kind: "stranger" }>,
    request: WatchRequest,
    credentials: Credentials,
  ): Promise<void>;
  ack(id: string, generation: number, epoch?: bigint): void;
  /** Changes a watcher that is called by its id alone. */
  change(known: Watcher, request: HttpWatchRequest, by: Registrant | undefined): Promise<void>;
}

/** A token that was shown, and the one that follows it. */
interface Tokens {
  readonly presented: string | undefined;
  readonly token: string;
  readonly tokenHash: string;
}

/**
 * Watchers that call over HTTP. Each of their ids is chosen by the client, so two clones of one
 * program share it. Their tokens tell them apart: a confirmation spends the token that it shows, so
 * only one of the two can confirm, and the other has to register as a watcher of its own
 * (docs/generations.md#http).
 */
export class HttpWatchers {
  readonly #parts: HttpParts;

  constructor(parts: HttpParts) {
    this.#parts = parts;
  }

  /** As {@linkcode ScopeWatchers.put}. */
  async put(
    id: string,
    request: HttpWatchRequest,
    by: Registrant | undefined,
  ): Promise<HttpWatching> {
    const tokens = await this.#tokens(request.token);
    return await this.#parts.changes.change(() => this.#put(id, request, tokens, by));
  }

  /**
   * Refuses whoever does not show the newest token of a watcher, once one was shown of it.
   *
   * @throws {Fault} `watcher-not-found`, `watcher-token-spent`
   */
  async requireToken(id: string, token: string | undefined): Promise<void> {
    const { presented } = await this.#tokens(token);
    this.#require(this.#parts.scope.watcher(id), presented);
  }

  /**
   * A watcher confirms, and spends the token that it shows.
   *
   * @returns The next token; nothing when it has shown none
   * @throws {Fault} `watcher-not-found`, `watcher-token-spent`, `stale-generation`,
   * `state-unavailable`
   */
  async ack(
    id: string,
    token: string | undefined,
    generation: number,
    epoch?: bigint,
  ): Promise<string | undefined> {
    const { scope, changes, ack } = this.#parts;
    const tokens = await this.#tokens(token);
    return await changes.change(async () => {
      this.#require(scope.watcher(id), tokens.presented);
      if (token === undefined) {
        ack(id, generation, epoch);
        return undefined;
      }
      scope.requireCurrent("confirm", generation, epoch);
      // The token first: if the next one cannot be stored, nothing was confirmed with this one.
      await this.#spend(id, tokens);
      ack(id, generation, epoch);
      return tokens.token;
    });
  }

  /** Hashes the token that is shown, and makes the one that follows it. */
  async #tokens(presented: string | undefined): Promise<Tokens> {
    const token = mintToken(this.#parts.random);
    const [tokenHash, hash] = await Promise.all([
      hashToken(token),
      presented === undefined ? undefined : hashToken(presented),
    ]);
    return { presented: hash, token, tokenHash };
  }

  async #put(
    id: string,
    request: HttpWatchRequest,
    { presented, token, tokenHash }: Tokens,
    by: Registrant | undefined,
  ): Promise<HttpWatching> {
    const { scope, processes } = this.#parts;
    const peer = this.#proven(request.process);
    if (!scope.has(id)) {
      const ackedEpoch = presented === undefined ? scope.epoch : NEVER_CONFIRMED;
      return await this.#register(id, request, { ackedEpoch, token, tokenHash, peer }, by);
    }
    const known = scope.watcher(id);
    if (!mayAdopt(known, by)) throw notOwned(id, scope.name);
    if (presented === undefined) {
      this.#require(known, undefined);
      await this.#parts.change(known, request, by);
      return { watcher: scope.watcher(id), created: false };
    }
    const resumption = judgeResumption(scope, { tokenHash: presented, peer, by }, processes);
    if (resumption.kind === "stranger" || resumption.watcher.id !== id) {
      // It is a clone, or its answer was lost: it cannot be told from the one that has the id.
      const own = `h-${this.#parts.random.bytes(8).toHex()}`;
      const credentials = { ackedEpoch: NEVER_CONFIRMED, token, tokenHash, peer };
      return await this.#register(
        own,
        { ...request, name: request.name ?? known.name },
        credentials,
        by,
      );
    }
    const { owner = by?.name } = known;
    await this.#parts.resume(
      resumption,
      { ...request, name: request.name ?? known.name },
      { tokenHash, previousTokenHash: presented, peer, owner },
    );
    await this.#show(id);
    return { watcher: scope.watcher(id), created: false, token };
  }

  /** The token that was shown is spent, and the next one is durable when this returns. */
  async #spend(id: string, { presented, tokenHash }: Tokens): Promise<void> {
    const { scope, rows } = this.#parts;
    const known = scope.watcher(id);
    const change = { tokenHash, previousTokenHash: presented, showsToken: true };
    await rows.replace(known, { ...known, ...change }, undefined);
    scope.changeToken(id, change);
  }

  async #show(id: string): Promise<void> {
    const { scope, rows } = this.#parts;
    const known = scope.watcher(id);
    if (known.showsToken === true) return;
    const { tokenHash, previousTokenHash } = known;
    await rows.replace(known, { ...known, showsToken: true }, undefined);
    scope.changeToken(id, { tokenHash, previousTokenHash, showsToken: true });
  }

  #require({ id, tokenHash, showsToken }: Watcher, presented: string | undefined): void {
    if (presented === undefined ? showsToken !== true : presented === tokenHash) return;
    throw new Fault(
      "watcher-token-spent",
      `Cannot take this for watcher "${id}" of scope "${this.#parts.scope.name}": ` +
        (presented === undefined
          ? "it has shown a token before, and must show its newest one"
          : "its token is spent or unknown, because another has called as this watcher; PUT it " +
            "with the token to become a watcher of its own"),
    );
  }

  #proven(process: ProcessIdentity | undefined): ProcessIdentity | undefined {
    return process !== undefined && this.#parts.processes.isPeer(process) ? process : undefined;
  }

  async #register(
    id: string,
    request: HttpWatchRequest,
    { ackedEpoch, token, ...members }: {
      readonly ackedEpoch: bigint;
      readonly token: string;
      readonly tokenHash: string;
      readonly peer: ProcessIdentity | undefined;
    },
    by: Registrant | undefined,
  ): Promise<HttpWatching> {
    const newcomer = this.#parts.newcomer(
      id,
      { ...request, name: request.name ?? id },
      ackedEpoch,
      by,
    );
    const watcher = await this.#parts.register({ ...newcomer, ...members });
    return { watcher, created: true, token };
  }
}
