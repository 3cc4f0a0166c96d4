import { Fault } from "../../core/faults.ts";
import { commit } from "../../core/commit.ts";
import { HOLDERS_PER_DEVICE_MAX, HOST_DEVICES_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Audience, EventSink } from "../../core/ports/events.ts";
import type { Ledger, LedgerEntry } from "../../core/ports/ledger.ts";
import type { Random } from "../../core/ports/random.ts";
import { Serial } from "../../core/serial.ts";
import { assigned, unassigned } from "./assignment.ts";
import { requireOwnMarks } from "./guest_marks.ts";
import { HostBook } from "./host_book.ts";
import { blockIndexOf, type DeviceReport, type Holder, type HostDevice } from "./host_device.ts";
import { deviceOfRow, hostEntry, hostGone } from "./host_records.ts";
import { rebuildHost } from "./host_state.ts";
import { type DeviceStatus, HolderLeases } from "./holder_leases.ts";
import { draftOf, type RegisterRequest, requireSame } from "./registration.ts";
import { reported } from "./report.ts";
import { rechecked } from "./recheck.ts";
import { locatedIfKnown, requireNoRival } from "./rival.ts";
import type { HostDeviceKind } from "../resolve/device_kinds.ts";
import type { DeviceResolver } from "../resolve/resolve.ts";

/** What the host devices need from outside. */
export interface HostDevicesPorts {
  readonly ledger: Ledger;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: DeviceResolver;
}

const ID_BYTES = 8;

/**
 * The devices of the host that sandboxes use (Kata's device manager), in one book for all sandboxes
 * (docs/devices.md#6). A change is worked out on a copy, committed to the ledger, and only then put
 * into the book. So one that fails leaves no index, port or holder behind.
 */
export class HostDevices {
  readonly #ports: HostDevicesPorts;
  readonly #devicesMax: number;
  readonly #leases: HolderLeases;
  /** Runs one change at a time, since it may concern the devices of other sandboxes. */
  readonly #changes = new Serial();
  #book = new HostBook();
  #revision = 0;

  private constructor(ports: HostDevicesPorts, devicesMax: number) {
    this.#ports = ports;
    this.#devicesMax = devicesMax;
    this.#leases = new HolderLeases(ports.clock, (id, holder) => {
      ports.events.emit({
        kind: "device.holder-lost",
        subject: id,
        reason: "its lease ran out",
        data: { holder },
      }, this.#audienceOf(id));
    });
  }

  /**
   * Opens the devices that the ledger holds. Leases begin anew, so that nobody is lost because the
   * daemon was away.
   *
   * @throws {Fault} `state-unavailable`
   */
  static async open(
    ports: HostDevicesPorts,
    devicesMax = HOST_DEVICES_MAX,
  ): Promise<HostDevices> {
    const devices = new HostDevices(ports, devicesMax);
    try {
      const rows = await ports.ledger.load("host-device");
      for (const row of rows) {
        const device = deviceOfRow(row);
        // Rows of older versions do not say on which storage the device is.
        const isKnown = device.storage !== undefined;
        devices.#book.put(isKnown ? device : await locatedIfKnown(device, ports.resolver));
      }
    } catch (cause) {
      throw new Fault(
        "state-unavailable",
        `Cannot open the host devices: ${(cause as Error).message}`,
        { cause },
      );
    }
    devices.#startHolderLeases();
    return devices;
  }

  /** How many devices there are. */
  get count(): number {
    return this.#book.size;
  }

  /** A number that grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Registers a device, or finds it if the sandbox has it already (Kata's NewDevice).
   *
   * @throws {Fault} as {@linkcode draftOf}; `device-in-use`, `device-differs`,
   * `devices-exhausted`, `state-unavailable`
   */
  async register(request: RegisterRequest): Promise<{ device: HostDevice; created: boolean }> {
    const { sandbox } = request;
    const id = this.#newId();
    const draft = await draftOf(request, id, this.#ports.resolver);
    return await this.#changes.run(async () => {
      const known = this.#book.known(sandbox, draft);
      if (known !== undefined) {
        requireSame(request, draft, known);
        return { device: known, created: false };
      }
      const createdNs = this.#ports.clock.wallNs();
      const device: HostDevice = { ...draft, id, sandbox, createdNs, holders: [] };
      requireNoRival(device, this.#book, "register");
      requireOwnMarks(device, this.list({ sandbox }));
      if (this.#book.size >= this.#devicesMax) {
        throw new Fault(
          "devices-exhausted",
          `Cannot register a device: ${this.#devicesMax} are registered: delete one`,
        );
      }
      const { kind, info } = device;
      await this.#put(device, "device.created", { kind, path: info.hostPath });
      return { device, created: true };
    });
  }

  /** Whether there is a device of this id. */
  has(id: string): boolean {
    return this.#book.get(id) !== undefined;
  }

  /** @throws {Fault} `device-not-found` */
  get(id: string): HostDevice {
    const device = this.#book.get(id);
    if (device !== undefined) return device;
    throw deviceNotFound(id);
  }

  /**
   * A device as the host has it now, to be rendered. One that nobody holds is as it was registered.
   *
   * @throws {Fault} `device-not-found`, `no-such-device`, `device-differs`, `device-unreadable`
   */
  async current(id: string): Promise<HostDevice> {
    const device = this.get(id);
    if (device.holders.length === 0) return device;
    return await rechecked(device, this.#ports.resolver);
  }

  /** The devices of a kind and of a sandbox, where these are given, ascending by id. */
  list(
    { kind, sandbox }: { kind?: HostDeviceKind | undefined; sandbox?: string | undefined } = {},
  ): HostDevice[] {
    return this.#book.list().filter((device) =>
      (kind === undefined || device.kind === kind) &&
      (sandbox === undefined || device.sandbox === sandbox)
    );
  }

  /**
   * Adds a holder to the device. The first one makes it get its index, names and ports. Calling
   * again renews the lease (docs/devices.md#7).
   *
   * @param leaseMs How long the holder counts as alive without calling again, in milliseconds; for
   * ever when it is left out
   * @throws {Fault} `device-not-found`, `holders-exhausted`, and as {@linkcode assigned};
   * as {@linkcode current}; `device-in-use` when it is the storage of another sandbox by now;
   * `state-unavailable`
   */
  attach(id: string, name: string, leaseMs?: number): Promise<HostDevice> {
    return this.#changes.run(async () => {
      const device = this.get(id);
      const found = device.holders.find((holder) => holder.name === name);
      const holder: Holder = {
        name,
        sinceNs: found?.sinceNs ?? this.#ports.clock.wallNs(),
        ...(leaseMs === undefined ? {} : { leaseMs }),
      };
      if (found !== undefined) return await this.#renew(device, found, holder);
      if (device.holders.length >= HOLDERS_PER_DEVICE_MAX) {
        throw new Fault(
          "holders-exhausted",
          `Cannot attach device ${id} to "${name}": ${HOLDERS_PER_DEVICE_MAX} hold it`,
        );
      }
      const isFirst = device.holders.length === 0;
      const ready = isFirst
        ? await assigned(await this.#present(device), this.#book, this.#ports.resolver.vfio)
        : device;
      const held = { ...ready, holders: [...ready.holders, holder] };
      await this.#put(held, "device.attached", {
        holder: name,
        first: isFirst,
        ...indexData(held),
        ...resizeData(device, held),
      });
      if (leaseMs !== undefined) this.#leases.start(id, name, leaseMs);
      return held;
    });
  }

  /**
   * Removes a holder from the device, if it is one. The last holder frees the index, the names and
   * the ports.
   *
   * @throws {Fault} `device-not-found`, `state-unavailable`
   */
  detach(id: string, name: string): Promise<void> {
    return this.#changes.run(async () => {
      const device = this.get(id);
      const holders = device.holders.filter((holder) => holder.name !== name);
      if (holders.length === device.holders.length) return;
      const isLast = holders.length === 0;
      const left = { ...(isLast ? unassigned(device) : device), holders };
      await this.#put(left, "device.detached", {
        holder: name,
        last: isLast,
        ...indexData(device),
      });
      this.#leases.end(id, name);
    });
  }

  /**
   * Takes down what the hypervisor reports of the device.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `device-not-attached`,
   * `state-unavailable`
   */
  report(id: string, report: DeviceReport): Promise<HostDevice> {
    return this.#changes.run(async () => {
      const device = reported(this.get(id), report);
      await this.#put(device, "device.reported", { ...report });
      return device;
    });
  }

  /**
   * Deletes a device that nobody holds.
   *
   * @throws {Fault} `device-not-found`, `device-attached`, `state-unavailable`
   */
  delete(id: string): Promise<void> {
    return this.#changes.run(async () => {
      const { holders, sandbox } = this.get(id);
      if (holders.length > 0) {
        const names = holders.map(({ name }) => name);
        throw new Fault(
          "device-attached",
          `Cannot delete device ${id}: ${names.slice(0, 3).join(", ")} hold it: detach it first`,
          { members: { holders: names } },
        );
      }
      await commit(this.#ports.ledger, [hostGone(id)]);
      this.#book.remove(id);
      this.#changed("device.deleted", id, { sandbox });
    });
  }

  /** Whether a holder's lease has run out. It still holds the device until it is detached. */
  isLost(id: string, holder: string): boolean {
    return this.#leases.isLost(id, holder);
  }

  /** What a device is doing. */
  statusOf({ id, holders }: HostDevice): DeviceStatus {
    if (holders.length === 0) return "idle";
    return holders.every(({ name }) => this.isLost(id, name)) ? "lost" : "attached";
  }

  /** Runs a task while no device changes. */
  exclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#changes.run(task);
  }

  /**
   * Plans to put these devices in place of the present ones. Only within {@linkcode exclusive}.
   *
   * @returns What the ledger must commit first, and what then puts the devices in place: that
   * cannot fail and does not wait
   * @throws {Fault} `image-contradicts`, `devices-exhausted`
   */
  planRestore(
    devices: readonly HostDevice[],
  ): [entries: readonly LedgerEntry[], apply: () => void] {
    const book = rebuildHost(devices, this.#devicesMax);
    const gone = this.#book.list().filter(({ id }) => book.get(id) === undefined);
    return [[...gone.map(({ id }) => hostGone(id)), ...devices.map(hostEntry)], () => {
      this.#leases.clear();
      this.#book = book;
      this.#startHolderLeases();
      this.#revision++;
    }];
  }

  /** Stops the timers. */
  close(): void {
    this.#leases.clear();
  }

  async #present(device: HostDevice): Promise<HostDevice> {
    const now = await rechecked(device, this.#ports.resolver);
    requireNoRival(now, this.#book, "attach");
    return now;
  }

  async #renew(device: HostDevice, found: Holder, holder: Holder): Promise<HostDevice> {
    const { name, leaseMs } = holder;
    const wasLost = this.#leases.isLost(device.id, name);
    const renewed = found.leaseMs === leaseMs ? device : {
      ...device,
      holders: device.holders.map((one) => one.name === name ? holder : one),
    };
    if (renewed !== device) {
      await this.#put(renewed, "device.lease-changed", { holder: name, leaseMs });
    }
    if (leaseMs === undefined) this.#leases.end(device.id, name);
    else this.#leases.start(device.id, name, leaseMs);
    if (wasLost) this.#changed("device.holder-returned", device.id, { holder: name });
    return renewed;
  }

  async #put(
    device: HostDevice,
    kind: string,
    data: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await commit(this.#ports.ledger, [hostEntry(device)]);
    this.#book.put(device);
    this.#changed(kind, device.id, { sandbox: device.sandbox, ...data });
  }

  #changed(kind: string, subject: string, data: Readonly<Record<string, unknown>>): void {
    this.#revision++;
    const { sandbox } = data;
    this.#ports.events.emit({ kind, subject, data }, this.#audienceOf(subject, sandbox));
  }

  /** Who may be shown what happens to a device: whoever may read of its sandbox. */
  #audienceOf(id: string, name: unknown = this.#book.get(id)?.sandbox): Audience | undefined {
    return typeof name === "string" ? { about: { kind: "sandboxes", name } } : undefined;
  }

  #startHolderLeases(): void {
    for (const { id, holders } of this.#book.list()) {
      for (const { name, leaseMs } of holders) {
        if (leaseMs !== undefined) this.#leases.start(id, name, leaseMs);
      }
    }
  }

  #newId(): string {
    for (;;) {
      const id = this.#ports.random.bytes(ID_BYTES).toHex();
      if (!this.has(id)) return id;
    }
  }
}

function indexData(device: HostDevice): { index?: number } {
  const index = blockIndexOf(device);
  return index === undefined ? {} : { index };
}

/** Says that a device has another size than it had when it was registered. */
function resizeData({ block: was }: HostDevice, { block: is }: HostDevice) {
  if (was?.sizeBytes === is?.sizeBytes) return {};
  return { sizeBytes: { was: String(was?.sizeBytes), is: String(is?.sizeBytes) } };
}

/** The fault of a device that is not registered. */
export function deviceNotFound(id: string): Fault {
  return new Fault(
    "device-not-found",
    `Cannot find host device ${JSON.stringify(id.slice(0, 80))}: it is not registered`,
  );
}
