import type { EventLog } from "../core/event_log.ts";
import { Fault } from "../core/faults.ts";
import { U32_MAX } from "../core/limits.ts";
import type { SharedTree } from "../core/ports/shared_tree.ts";
import type { DeviceRegistry } from "../devices/registry.ts";
import type { DeviceResolver } from "../devices/resolve/resolve.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { Guest } from "../guests/guest/guest.ts";
import type { GuestSpec } from "../guests/guest_spec.ts";
import type { CreatedGuest, Guests } from "../guests/guests.ts";
import type { MachineParts, Share } from "../guests/linux/linux_machine.ts";
import type { MachineHead } from "../guests/linux/machine_image.ts";
import { closeAll, type GuestDisks } from "./guest_disks.ts";
import { ScopeRefs } from "./scope_refs.ts";
import { COMMAND_LINE_DEFAULT, type Linux } from "../guests/linux/linux.ts";
import type { SnapshotInfo } from "../guests/snapshots/snapshots.ts";
import type { InodeStore } from "../inodes/store/store.ts";
import type { CreateGuest, GuestHouse, GuestLoad, LinuxGuest } from "./guest_house.ts";

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
  readonly disks: GuestDisks;
  /** What guests can be shown of each root, by its name. */
  readonly shares: ReadonlyMap<string, SharedTree>;
  readonly reseeders: Reseeders;
}

/** The four parts joined: what one of them does to another happens here and nowhere else. */
export class Innkeeper implements GuestHouse {
  readonly events: EventLog;
  readonly scopes: Scopes;
  readonly devices: DeviceRegistry;
  readonly resolver: DeviceResolver;
  readonly inodes: InodeStore;
  readonly guests: Guests;
  readonly #disks: GuestDisks;
  readonly #shares: InnkeeperParts["shares"];
  readonly #reseeders: Reseeders;
  readonly #scopeRefs: ScopeRefs;
  /** Names of guests in the making, of which parts are there before the guest. */
  readonly #making = new Set<string>();
  #isClosing = false;

  constructor(
    { events, scopes, devices, resolver, inodes, guests, disks, shares, reseeders }: InnkeeperParts,
  ) {
    this.events = events;
    this.scopes = scopes;
    this.devices = devices;
    this.resolver = resolver;
    this.inodes = inodes;
    this.guests = guests;
    this.#disks = disks;
    this.#shares = shares;
    this.#reseeders = reseeders;
    this.#scopeRefs = new ScopeRefs(scopes);
  }

  /**
   * Makes a guest. Its image comes through the inode cache; a clone bumps its scope first, so
   * that its first instruction already sees the new generation.
   *
   * @throws {Fault} as {@linkcode Guests.create}, {@linkcode InodeStore.readAll} and
   * {@linkcode LiveScope.bump}
   */
  async createGuest(command: CreateGuest, by: string): Promise<CreatedGuest> {
    const { guests } = this;
    const id = command.name ?? guests.newId();
    guests.requireFree(id);
    if (this.#making.has(id)) {
      throw new Fault("already-initialized", `Cannot make guest "${id}": it is being made already`);
    }
    this.#making.add(id);
    try {
      return await this.#make(id, command, by);
    } finally {
      this.#making.delete(id);
    }
  }

  async #make(id: string, command: CreateGuest, by: string): Promise<CreatedGuest> {
    const { guests } = this;
    const from = await this.#origin(command.from);
    const snapshot = "snapshot" in from ? await guests.snapshots.get(from.snapshot) : undefined;
    const scope = await this.#scopeRefs.enter(command.scope ?? id);
    const { name } = scope.state;
    try {
      const { engine, leaseMs } = command;
      const machine = await this.#machine(id, command.from, snapshot?.machine);
      if (snapshot !== undefined) {
        await this.#bumpForClone(id, scope, snapshot, by).catch(async (fault) => {
          await closeAll(machine?.disks ?? []);
          throw fault;
        });
      }
      const spec = { id, scope: name, engine, leaseMs, from, machine };
      const made = await guests.create(spec, scope.state.current);
      this.#followScope(scope, made.guest);
      return made;
    } catch (fault) {
      await this.#reseeders.release(id);
      await this.#scopeRefs.leave(name);
      throw fault;
    }
  }

  /** Closes the barrier for what runs in a clone, and bumps its scope. */
  async #bumpForClone(
    id: string,
    scope: LiveScope,
    { generation, machine }: SnapshotInfo,
    by: string,
  ): Promise<void> {
    const watching = machine?.reseed.watching;
    if (watching !== undefined) await this.#reseeders.expect(scope, id, watching);
    await scope.bump({ minimum: nextMinimum(generation), reason: "clone", by });
  }

  #followScope(scope: LiveScope, guest: Guest): void {
    // In this order: a reseeder that is told of a generation finds it in its page.
    follow(scope, guest);
    this.#reseeders.follow(scope, guest);
    guest.onEnd(() => {
      if (!this.#isClosing) void this.#reseeders.lose(guest.id);
    });
    guest.onRemoved(async () => {
      if (this.#isClosing) return;
      await this.#reseeders.release(guest.id);
      await this.#scopeRefs.leave(scope.state.name);
    });
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

  async #origin(from: CreateGuest["from"]): Promise<GuestSpec["from"]> {
    if ("snapshot" in from) return from;
    if ("linux" in from) return { linux: await this.#kernel(from.linux) };
    return { program: { ...from.program, load: await this.#images(from.program.load) } };
  }

  async #machine(
    id: string,
    from: CreateGuest["from"],
    kept: MachineHead | undefined,
  ): Promise<MachineParts | undefined> {
    if ("linux" in from) {
      const share = this.#share(from.linux.share?.root);
      return { disks: await this.#disks.open(id, from.linux.disks), share };
    }
    if (kept === undefined) return undefined;
    const share = this.#share(kept.share);
    return { disks: await this.#disks.reopen(id, kept.disks), share };
  }

  #share(root: string | undefined): Share | undefined {
    if (root === undefined) return undefined;
    const tree = this.#shares.get(root);
    if (tree !== undefined) return { root, tree };
    throw new Fault(
      "root-not-found",
      `Cannot share root "${root}": roots are ${[...this.#shares.keys()].join(", ") || "none"}`,
    );
  }

  async #kernel({ memoryMiB, kernel, initrd, commandLine }: LinuxGuest): Promise<Linux> {
    return {
      memoryMiB,
      kernel: await this.inodes.readAll(kernel),
      initrd: initrd === undefined ? undefined : await this.inodes.readAll(initrd),
      commandLine: commandLine ?? COMMAND_LINE_DEFAULT,
    };
  }

  async #images(
    load: readonly GuestLoad[],
  ): Promise<{ readonly at: bigint; readonly bytes: Uint8Array }[]> {
    return await Promise.all(load.map(async (piece) => ({
      at: piece.at,
      bytes: "bytes" in piece ? piece.bytes : await this.inodes.readAll(piece.inode),
    })));
  }
}

/** Shows a guest every generation of its scope, also one that came while it was made. */
function follow(scope: LiveScope, guest: Guest): void {
  if (scope.state.epoch !== guest.identity.epoch) guest.identify(scope.state.current);
  guest.onEnd(scope.listen((change) => {
    if (change.kind === "generation") guest.identify(change.bump);
  }));
}

/** One past the snapshot's own generation, so that no clone shows what the original has shown. */
function nextMinimum(generation: number): number {
  return generation === U32_MAX ? 0 : generation + 1;
}
