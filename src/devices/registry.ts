import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Random } from "../core/ports/random.ts";
import {
  ANONYMOUS_BOUNDS,
  type AnonymousBounds,
  AnonymousDevices,
} from "./anonymous/anonymous_devices.ts";
import type { AnonymousState } from "./anonymous/anonymous_device.ts";
import { anonymousId } from "./anonymous/identity.ts";
import type { HostDevice } from "./host/host_device.ts";
import { HostDevices } from "./host/host_devices.ts";
import type { RestoreMode } from "./image_form.ts";
import type { DeviceResolver } from "./resolve/resolve.ts";

/** What the registry needs from outside. */
interface DeviceRegistryPorts {
  readonly ledger: Ledger;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: DeviceResolver;
}

/** Every device, at one moment. */
export interface RegistryState {
  readonly anonymous: AnonymousState;
  readonly host: readonly HostDevice[];
}

/** A state, and the version of the registry that has it. */
interface RegistryImage {
  readonly etag: string;
  readonly state: RegistryState;
}

const NONCE_BYTES = 6;

/** The one book of devices: anonymous ones and those of the host. */
export class DeviceRegistry implements Disposable {
  readonly anonymous: AnonymousDevices;
  readonly host: HostDevices;
  readonly #ledger: Ledger;
  readonly #events: EventSink;
  /** Tells the versions of this process from those of another. */
  readonly #nonce: string;

  private constructor(
    { ledger, events, random }: DeviceRegistryPorts,
    anonymous: AnonymousDevices,
    host: HostDevices,
  ) {
    this.anonymous = anonymous;
    this.host = host;
    this.#ledger = ledger;
    this.#events = events;
    this.#nonce = [...random.bytes(NONCE_BYTES)].map((byte) => byte.toString(36)).join("");
  }

  /**
   * The registry as the ledger has kept it.
   *
   * @throws {Fault} `state-unavailable` when the ledger cannot be read or contradicts itself
   */
  static async open(
    ports: DeviceRegistryPorts,
    bounds: AnonymousBounds = ANONYMOUS_BOUNDS,
  ): Promise<DeviceRegistry> {
    const anonymous = await AnonymousDevices.open(ports, bounds);
    return new DeviceRegistry(ports, anonymous, await HostDevices.open(ports));
  }

  /** How many devices there are, of all sorts. */
  get deviceCount(): number {
    return this.anonymous.count + this.host.count;
  }

  /** How many mapping entries count against the bound, freed ones that are remembered included. */
  get mappingCount(): number {
    return this.anonymous.mappingCount;
  }

  /** The version of the registry: every change makes another. */
  get etag(): string {
    return `"${this.#nonce}-${this.anonymous.revision}-${this.host.revision}"`;
  }

  /** Everything there is at this moment; later changes do not reach it. */
  save(): RegistryImage {
    return {
      etag: this.etag,
      state: { anonymous: this.anonymous.snapshot(), host: this.host.list() },
    };
  }

  /**
   * Puts a state in place, all or nothing: in one commit, while nothing else changes.
   *
   * @param ifMatch The versions for one of which the caller means it; `undefined` for any
   * @returns The version that the registry then has
   * @throws {Fault} `image-stale`, `device-set-differs`, `registry-not-empty`,
   * `image-contradicts`, `mappings-exhausted`, `devices-exhausted`, `state-unavailable`
   */
  restore(state: RegistryState, mode: RestoreMode, ifMatch?: readonly string[]): Promise<string> {
    return this.anonymous.exclusive(() =>
      this.host.exclusive(async () => {
        if (ifMatch !== undefined && !ifMatch.includes(this.etag)) {
          throw new Fault(
            "image-stale",
            `Cannot restore the image: the registry is at version ${this.etag}: look at it again`,
          );
        }
        if (mode === "load") this.#requireEmpty();
        else this.#requireSameSet(state);
        const [entries, applyAnonymous] = this.anonymous.planRestore(state.anonymous);
        const [hostEntries, applyHost] = this.host.planRestore(state.host);
        await commit(this.#ledger, [...entries, ...hostEntries]);
        applyAnonymous();
        applyHost();
        this.#events.emit({
          kind: "registry.restored",
          subject: "devices",
          data: { mode, devices: this.deviceCount, mappings: this.mappingCount },
        });
        return this.etag;
      })
    );
  }

  /** Lets go of the timers. */
  [Symbol.dispose](): void {
    this.host.close();
  }

  #requireEmpty(): void {
    if (this.deviceCount === 0) return;
    throw new Fault(
      "registry-not-empty",
      `Cannot load the image: the registry has ${this.deviceCount} devices: delete them, or ` +
        "restore with mode=match",
    );
  }

  #requireSameSet(state: RegistryState): void {
    const present = namesOf({
      anonymous: this.anonymous.list().map(({ kind, identity: { minor } }) => ({ kind, minor })),
      host: this.host.list(),
    });
    const wanted = namesOf({ anonymous: state.anonymous.devices, host: state.host });
    const [added, removed] = [wanted.difference(present), present.difference(wanted)];
    if (added.size + removed.size === 0) return;
    throw new Fault(
      "device-set-differs",
      `Cannot restore the image: it adds ${added.size} devices and lacks ${removed.size}: make ` +
        "the sets the same, or load it into an empty registry",
      { members: { added: shown(added), removed: shown(removed) } },
    );
  }
}

/** What must be the same on both sides: the id and the kind of each device. */
function namesOf({ anonymous, host }: {
  anonymous: readonly { kind: string; minor: bigint }[];
  host: readonly { kind: string; id: string }[];
}): Set<string> {
  return new Set([
    ...anonymous.map(({ kind, minor }) => `${anonymousId(minor)} ${kind}`),
    ...host.map(({ kind, id }) => `${id} ${kind}`),
  ]);
}

const NAMES_SHOWN_MAX = 1_000;

function shown(names: ReadonlySet<string>): { id: string; kind: string }[] {
  return [...names].slice(0, NAMES_SHOWN_MAX).map((name) => {
    const [id = "", kind = ""] = name.split(" ");
    return { id, kind };
  });
}
