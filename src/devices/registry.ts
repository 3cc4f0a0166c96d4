import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import {
  ANONYMOUS_BOUNDS,
  type AnonymousBounds,
  AnonymousDevices,
} from "./anonymous/anonymous_devices.ts";
import type { AnonymousState } from "./anonymous/anonymous_device.ts";
import { anonymousId } from "./anonymous/identity.ts";
import type { HostDevice } from "./host/host_device.ts";
import { HostDevices, type HostDevicesPorts } from "./host/host_devices.ts";
import type { RestoreMode } from "./image_form.ts";

/** All devices at one moment. */
export interface RegistryState {
  readonly anonymous: AnonymousState;
  readonly host: readonly HostDevice[];
}

const NONCE_BYTES = 6;

/** All devices: anonymous ones and those of the host. */
export class DeviceRegistry implements Disposable {
  readonly anonymous: AnonymousDevices;
  readonly host: HostDevices;
  readonly #ledger: Ledger;
  readonly #events: EventSink;
  /** Distinguishes the versions of this process from those of another one. */
  readonly #nonce: string;

  private constructor(
    { ledger, events, random }: HostDevicesPorts,
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
   * Opens the registry that the ledger holds.
   *
   * @throws {Fault} `state-unavailable` when the ledger cannot be read or contradicts itself
   */
  static async open(
    ports: HostDevicesPorts,
    bounds: AnonymousBounds = ANONYMOUS_BOUNDS,
  ): Promise<DeviceRegistry> {
    const anonymous = await AnonymousDevices.open(ports, bounds);
    return new DeviceRegistry(ports, anonymous, await HostDevices.open(ports));
  }

  /** How many devices there are, anonymous ones and those of the host. */
  get deviceCount(): number {
    return this.anonymous.count + this.host.count;
  }

  /** How many mapping entries count against the bound, remembered freed ones included. */
  get mappingCount(): number {
    return this.anonymous.mappingCount;
  }

  /** The version of the registry. Every change gives it another one. */
  get etag(): string {
    return `"${this.#nonce}-${this.anonymous.revision}-${this.host.revision}"`;
  }

  /** Everything there is at this moment, and its version. Later changes do not show in it. */
  save(): { etag: string; state: RegistryState } {
    const state = { anonymous: this.anonymous.snapshot(), host: this.host.list() };
    return { etag: this.etag, state };
  }

  /**
   * Puts a state in place of the present one, all or nothing: in one commit, while nothing else
   * changes (docs/devices.md#4).
   *
   * @param ifMatch The versions of the registry that may be replaced; `undefined` for any
   * @returns The version that the registry has then
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

  /** Stops the timers. */
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

/** The id and the kind of each device: these must be the same on both sides of a restore. */
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
