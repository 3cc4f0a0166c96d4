import type { EventLog } from "../core/event_log.ts";
import { U32_MAX } from "../core/limits.ts";
import type { DeviceRegistry } from "../devices/registry.ts";
import type { DeviceResolver } from "../devices/resolve.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import { DEFAULT_OPTIONS } from "../generations/scope.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { Guest } from "../guests/guest.ts";
import type { CreatedGuest, Guests, GuestSpec } from "../guests/guests.ts";
import { COMMAND_LINE_DEFAULT, type Linux } from "../guests/linux/linux.ts";
import type { InodeStore } from "../inodes/store.ts";
import type { CreateGuest, GuestHouse, GuestLoad, LinuxGuest } from "./guest_house.ts";

/** What the daemon joins. */
export interface InnkeeperParts {
  readonly events: EventLog;
  readonly scopes: Scopes;
  readonly devices: DeviceRegistry;
  readonly resolver: DeviceResolver;
  readonly inodes: InodeStore;
  readonly guests: Guests;
}

/** The four parts joined: what one of them does to another happens here and nowhere else. */
export class Innkeeper implements GuestHouse {
  readonly events: EventLog;
  readonly scopes: Scopes;
  readonly devices: DeviceRegistry;
  readonly resolver: DeviceResolver;
  readonly inodes: InodeStore;
  readonly guests: Guests;

  /** How many guests each scope has, and whether it was made for them. */
  readonly #lodgings = new Map<string, { guests: number; readonly isOurs: boolean }>();

  #isClosing = false;

  constructor({ events, scopes, devices, resolver, inodes, guests }: InnkeeperParts) {
    this.events = events;
    this.scopes = scopes;
    this.devices = devices;
    this.resolver = resolver;
    this.inodes = inodes;
    this.guests = guests;
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
    const from = await this.#origin(command.from);
    const snapshot = "snapshot" in from ? await guests.snapshots.get(from.snapshot) : undefined;
    const scope = await this.#lodge(command.scope ?? id);
    try {
      if (snapshot !== undefined) {
        await scope.bump({ minimum: nextMinimum(snapshot.generation), reason: "clone", by });
      }
      const { name, current } = scope.state;
      const { engine, leaseMs } = command;
      const made = await guests.create({ id, scope: name, engine, leaseMs, from }, current);
      follow(scope, made.guest);
      made.guest.onEnd(() => void this.#leave(name));
      return made;
    } catch (fault) {
      await this.#leave(scope.state.name);
      throw fault;
    }
  }

  /**
   * Lets go of everything, after writing down what is still to be written.
   *
   * @returns What could not be written back; the next start tries again
   */
  async close(): ReturnType<InodeStore["close"]> {
    // Guests that end with the daemon are found lost by the next one, each with its scope.
    this.#isClosing = true;
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

  /** Finds the scope of a guest that is to come, or makes it. */
  async #lodge(name: string): Promise<LiveScope> {
    const lodging = this.#lodgings.get(name) ?? { guests: 0, isOurs: !this.scopes.has(name) };
    this.#lodgings.set(name, lodging);
    lodging.guests++;
    try {
      if (this.scopes.has(name)) return this.scopes.get(name);
      return (await this.scopes.put(name, DEFAULT_OPTIONS)).scope;
    } catch (fault) {
      await this.#leave(name);
      throw fault;
    }
  }

  /** A guest of a scope is gone. A scope made for guests goes with the last, unless it is watched. */
  async #leave(name: string): Promise<void> {
    const lodging = this.#lodgings.get(name);
    if (lodging === undefined || --lodging.guests > 0) return;
    this.#lodgings.delete(name);
    // One that somebody still watches, or that is deleted already, is left as it is.
    if (lodging.isOurs && !this.#isClosing) await this.scopes.delete(name, false).catch(() => {});
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
