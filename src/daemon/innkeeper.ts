import type { EventLog } from "../core/event_log.ts";
import { U32_MAX } from "../core/limits.ts";
import type { DeviceRegistry } from "../devices/registry.ts";
import type { DeviceResolver } from "../devices/resolve/resolve.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import { DEFAULT_OPTIONS, type ScopeOptions } from "../generations/scope_options.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { CreateGuest } from "../guests/create_guest.ts";
import type { Guest } from "../guests/guest/guest.ts";
import type { CreatedGuest, Guests } from "../guests/guests.ts";
import type { SnapshotHead } from "../guests/snapshots/snapshot.ts";
import type { SnapshotCaller, SnapshotInfo } from "../guests/snapshots/snapshots.ts";
import type { InodeStore } from "../inodes/store/store.ts";
import { requireSources, scopeRight } from "./guest_rights.ts";
import { ScopeRefs } from "./scope_refs.ts";

/** Talks to what reseeds Linux guests from inside: each watches the scope of its guest. */
interface Reseeders {
  /** Registers the reseeder that a snapshot has, before its clone is made. */
  expect(scope: LiveScope, guest: string, name: string): Promise<void>;
  /** Listens to a guest's reseeder from now on. */
  follow(scope: LiveScope, guest: Guest): void;
  /** A guest died: barriers name its reseeder as lost. */
  lose(guest: string): Promise<void>;
  /** A guest was taken away, or was not made after all: nobody waits for it any more. */
  release(guest: string): Promise<void>;
}

/** What the daemon joins. */
export interface InnkeeperParts {
  readonly events: EventLog;
  readonly scopes: Scopes;
  readonly devices: DeviceRegistry;
  readonly resolver: DeviceResolver;
  readonly inodes: InodeStore;
  readonly guests: Guests;
  readonly reseeders: Reseeders;
}

/** The four parts joined: what one of them does to another happens here and nowhere else. */
export class Innkeeper {
  readonly events: EventLog;
  readonly scopes: Scopes;
  readonly devices: DeviceRegistry;
  readonly resolver: DeviceResolver;
  readonly inodes: InodeStore;
  readonly guests: Guests;
  readonly #reseeders: Reseeders;
  readonly #scopeRefs: ScopeRefs;
  #isClosing = false;

  constructor(parts: InnkeeperParts) {
    this.events = parts.events;
    this.scopes = parts.scopes;
    this.devices = parts.devices;
    this.resolver = parts.resolver;
    this.inodes = parts.inodes;
    this.guests = parts.guests;
    this.#reseeders = parts.reseeders;
    this.#scopeRefs = new ScopeRefs(parts.scopes);
  }

  /**
   * Makes a guest in its scope. A clone bumps the scope first, so that its first instruction
   * already sees the new generation (docs/guests.md#clones).
   *
   * @param by Who asks, for the history of the scope
   * @param asker What that one may do, and its owner's token; nothing is refused without
   * @throws {Fault} as {@linkcode Guests.create} and {@linkcode LiveScope.bump};
   * `not-permitted`, `bump-not-permitted`, `not-owner`
   */
  async createGuest(
    command: CreateGuest,
    by: string,
    asker?: SnapshotCaller,
  ): Promise<CreatedGuest> {
    if (asker !== undefined) await requireSources(command, asker, this);
    let entered: { readonly guest: string; readonly scope: LiveScope } | undefined;
    try {
      const made = await this.guests.create(command, async (guest, original) => {
        const options = optionsOf(original);
        const name = command.scope ?? guest;
        const right = scopeRight(command);
        const scope = await this.#scopeRefs.enter(
          name,
          options,
          (isMade) => asker?.caller.require(isMade ? "write" : right, { kind: "scopes", name }),
        );
        entered = { guest, scope };
        if (original !== undefined) await this.#bumpForClone(guest, scope, original, by);
        return { scope: scope.state.name, identity: scope.state.current };
      });
      if (entered !== undefined) this.#followScope(entered.scope, made.guest);
      return made;
    } catch (fault) {
      if (entered !== undefined) await this.#leaveScope(entered.scope, entered.guest);
      throw fault;
    }
  }

  /**
   * Snapshots a paused guest with the options of its scope, so that the scope of a clone expects
   * whom the original's expects before the clone runs.
   *
   * @throws {Fault} as {@linkcode Guests.snapshot}
   */
  async snapshotGuest(id: string, ownerToken: string | undefined): Promise<SnapshotInfo> {
    const { scope } = this.guests.owned(id, ownerToken);
    const options = this.scopes.has(scope) ? this.scopes.get(scope).state.options : undefined;
    return await this.guests.snapshot(id, ownerToken, options);
  }

  /** Closes the barrier for what runs in a clone, and bumps its scope. */
  async #bumpForClone(
    guest: string,
    scope: LiveScope,
    { generation, machine }: SnapshotHead,
    by: string,
  ): Promise<void> {
    const watching = machine?.reseed.watching;
    if (watching !== undefined) await this.#reseeders.expect(scope, guest, watching);
    await scope.bump({ minimum: nextMinimum(generation), reason: "clone", by });
  }

  /** Shows a guest every generation of its scope, also one that came while it was made. */
  #followScope(scope: LiveScope, guest: Guest): void {
    if (scope.state.epoch !== guest.identity.epoch) guest.identify(scope.state.current);
    guest.onEnd(scope.listen((change) => {
      if (change.kind === "generation") guest.identify(change.bump);
    }));
    // Second, so that a reseeder that is told of a generation finds it in the guest's page.
    this.#reseeders.follow(scope, guest);
    guest.onEnd(() => {
      if (!this.#isClosing) void this.#reseeders.lose(guest.id);
    });
    guest.onRemoved(async () => {
      if (!this.#isClosing) await this.#leaveScope(scope, guest.id);
    });
  }

  async #leaveScope(scope: LiveScope, guest: string): Promise<void> {
    await this.#reseeders.release(guest);
    await this.#scopeRefs.leave(scope.state.name);
  }

  /**
   * Lets go of everything, after writing down what is still to be written.
   *
   * @returns What could not be written back; the next start tries again
   */
  async close(): ReturnType<InodeStore["close"]> {
    // Guests that end with the daemon are found lost by the next one, each with its scope.
    this.#isClosing = true;
    this.#scopeRefs.close();
    this.guests.close();
    const unsaved = await this.inodes.close();
    await this.scopes.close();
    return unsaved;
  }
}

/** The options of a scope that is made for a guest: of a clone those that its snapshot recorded. */
function optionsOf(original: SnapshotHead | undefined): ScopeOptions {
  return { ...DEFAULT_OPTIONS, ...original?.scopeOptions as Partial<ScopeOptions> | undefined };
}

/** One past the snapshot's own generation, so that no clone shows what the original has shown. */
function nextMinimum(generation: number): number {
  return generation === U32_MAX ? 0 : generation + 1;
}
