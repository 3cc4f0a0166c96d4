import { commit } from "../core/commit.ts";
import { Fault } from "../core/faults.ts";
import { LISTENERS_MAX } from "../core/limits.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger, LedgerEntry } from "../core/ports/ledger.ts";
import type { SocketNode } from "../core/ports/socket_files.ts";
import { Serial } from "../core/serial.ts";
import { Principal } from "./tokens.ts";

/** What a listener is to be. */
interface ListenerRequest {
  /** Where programs connect: an absolute path on the file system of the run folder. */
  readonly path: string;
  /** The one scope that its principal has rights on. */
  readonly scope: string;
  /** The rights that it has there, such as `watch`. */
  readonly permissions: readonly string[];
  /** The permission bits of the socket, such as `0600`. */
  readonly mode: string;
}

/** A socket that accepts requests. */
interface OpenSocket {
  readonly node: SocketNode;
  /** Accepts nothing new, and resolves when running requests have ended. */
  stop(): Promise<void>;
}

/** Opens the sockets of listeners. */
export interface ListenerHost {
  /**
   * Accepts requests of a principal at a path.
   *
   * @param left The socket that an earlier process left there: it is removed
   * @param placing Called before the socket is seen there
   * @throws {Fault} `path-taken`, `path-unusable`
   */
  open(
    listener: ListenerRequest,
    principal: Principal,
    left: SocketNode | undefined,
    placing: (node: SocketNode) => Promise<void>,
  ): Promise<OpenSocket>;
  /** Removes what an earlier process left at a path. */
  remove(path: string, node: SocketNode): void;
}

/** A listener that was made at run time. */
export interface RunTimeListener extends ListenerRequest {
  readonly name: string;
  readonly principal: Principal;
  /** Why it does not listen, if it does not. */
  readonly failure: string | undefined;
}

interface Entry extends RunTimeListener {
  readonly node: SocketNode | undefined;
  readonly socket: OpenSocket | undefined;
}

type ListenerBody = ListenerRequest & { readonly node?: SocketNode | undefined };

export interface ListenersPorts {
  readonly ledger: Ledger;
  readonly events: EventSink;
  readonly host: ListenerHost;
  /** The principal of a listener is no more: its connections end. */
  readonly onGone: (principal: Principal) => void;
  /** An operator has deleted a listener: whoever came by it is gone for good. */
  readonly onDeleted: (principal: string, scope: string) => Promise<void>;
}

/**
 * Sockets that are made while the daemon runs, each for one scope and one principal, which is named
 * after it. They are in the ledger, and listen again after a restart (docs/access.md#listeners).
 */
export class RunTimeListeners {
  readonly #ports: ListenersPorts;
  readonly #entries = new Map<string, Entry>();
  readonly #serial = new Serial();

  constructor(ports: ListenersPorts) {
    this.#ports = ports;
  }

  /** Listens again where the ledger says. One that cannot is shown as failed. */
  async start(): Promise<void> {
    for (const { id, body } of await this.#ports.ledger.load("listener")) {
      const { node, ...request } = body as ListenerBody;
      const principal = principalOf(id, request);
      const entry = { name: id, ...request, principal, node };
      try {
        this.#entries.set(id, await this.#open(id, request, principal, node));
      } catch (error) {
        const failure = (error as Error).message;
        this.#entries.set(id, { ...entry, socket: undefined, failure });
        this.#emit("failed", id, { path: request.path }, failure);
      }
    }
  }

  /** All of them, in the order of their names. */
  list(): readonly RunTimeListener[] {
    return [...this.#entries.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** @throws {Fault} `listener-not-found` */
  get(name: string): RunTimeListener {
    return this.#find(name);
  }

  /**
   * Makes a listener, or replaces the one of this name. It is durable and listens when this returns.
   *
   * @throws {Fault} `path-taken`, `path-unusable`, `listeners-exhausted`, `state-unavailable`
   */
  put(name: string, request: ListenerRequest): Promise<{ made: RunTimeListener; isNew: boolean }> {
    return this.#serial.run(async () => {
      const known = this.#entries.get(name);
      if (known === undefined) this.#requireRoom(name);
      else if (known.socket !== undefined && isSame(known, request)) {
        return { made: known, isNew: false };
      }
      const principal = principalOf(name, request);
      // The path may be the same, so the one before makes room first; it comes back if this fails.
      if (known !== undefined) this.#close(known);
      try {
        const made = await this.#open(name, request, principal, known?.node);
        this.#entries.set(name, made);
        const { path, scope, permissions } = request;
        this.#emit("made", name, { path, scope, permissions });
        return { made, isNew: known === undefined };
      } catch (error) {
        if (known !== undefined) await this.#reopen(known);
        throw error;
      }
    });
  }

  /**
   * Deletes a listener with its socket, and ends its connections.
   *
   * @throws {Fault} `listener-not-found`, `state-unavailable`
   */
  delete(name: string): Promise<void> {
    return this.#serial.run(async () => {
      const known = this.#find(name);
      await commit(this.#ports.ledger, [{ kind: "listener", id: name, body: undefined }]);
      this.#entries.delete(name);
      this.#close(known);
      await this.#ports.onDeleted(known.principal.name, known.scope);
      this.#emit("deleted", name, { path: known.path });
    });
  }

  /** Stops all. Their files go too, and come back with the next start. */
  async stop(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(async ({ path, node, socket }) => {
      if (node !== undefined) this.#ports.host.remove(path, node);
      await socket?.stop();
    }));
  }

  async #open(
    name: string,
    request: ListenerRequest,
    principal: Principal,
    left: SocketNode | undefined,
  ): Promise<Entry> {
    let placed: SocketNode | undefined;
    const socket = await this.#ports.host.open(request, principal, left, async (node) => {
      placed = node;
      // Before it is seen: after a crash the next start knows the file as its own.
      await commit(this.#ports.ledger, [listenerEntry(name, { ...request, node })]);
    });
    return { name, ...request, principal, node: placed, socket, failure: undefined };
  }

  async #reopen(known: Entry): Promise<void> {
    const { name, path, scope, permissions, mode } = known;
    const request = { path, scope, permissions, mode };
    const principal = principalOf(name, request);
    try {
      this.#entries.set(name, await this.#open(name, request, principal, known.node));
    } catch (error) {
      const failure = (error as Error).message;
      this.#entries.set(name, { ...known, principal, socket: undefined, failure });
      this.#emit("failed", name, { path }, failure);
    }
  }

  #close({ path, node, socket, principal }: Entry): void {
    if (node !== undefined) this.#ports.host.remove(path, node);
    principal.end();
    this.#ports.onGone(principal);
    void socket?.stop();
  }

  #find(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    throw new Fault(
      "listener-not-found",
      `Cannot find listener "${name}": make it with PUT /v1/listeners/${name}`,
    );
  }

  #requireRoom(name: string): void {
    if (this.#entries.size < LISTENERS_MAX) return;
    throw new Fault(
      "listeners-exhausted",
      `Cannot make listener "${name}": there are ${this.#entries.size}; delete one first`,
    );
  }

  #emit(what: string, name: string, data: Record<string, unknown>, reason?: string): void {
    const why = reason === undefined ? {} : { reason };
    this.#ports.events.emit(
      { kind: `listener.${what}`, subject: name, ...why, data },
      { about: { kind: "listeners", name } },
    );
  }
}

/** Its name has a colon, as no name of the token file has. */
function principalOf(name: string, { scope, permissions }: ListenerRequest): Principal {
  return new Principal(`listener:${name}`, permissions.map((one) => `${one}:scopes/${scope}`));
}

function listenerEntry(id: string, body: ListenerBody): LedgerEntry {
  return { kind: "listener", id, body };
}

function isSame(a: ListenerRequest, b: ListenerRequest): boolean {
  return a.path === b.path && a.scope === b.scope && a.mode === b.mode &&
    JSON.stringify(a.permissions) === JSON.stringify(b.permissions);
}
