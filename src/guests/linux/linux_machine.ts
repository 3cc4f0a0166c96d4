import { concat } from "@std/bytes";
import { SNAPSHOT_OVERLAY_BYTES_MAX } from "../../core/limits.ts";
import type { DiskParts, Share } from "../../core/ports/guest_files.ts";
import type { DiskShape, PcDevices, SerialLine } from "../../core/ports/pc_devices.ts";
import type { GuestEngine, GuestIdentity } from "../../core/ports/guest_engine.ts";
import { GuestTree } from "./ninep/guest_tree.ts";
import { NinepServer } from "./ninep/server.ts";
import { SystemError } from "../../core/system_error.ts";
import { Console } from "./console.ts";
import { Disk } from "./disk.ts";
import { ReseedLine } from "./reseed_line.ts";
import { type MachineImage, overlayBytes } from "./machine_image.ts";

/** The serial line that is a guest's console. */
const CONSOLE: SerialLine = 0;
/** The serial line over which its reseeder and the host talk. */
const RESEED: SerialLine = 1;

/** What the devices of a Linux guest are made of. */
interface MachineParts {
  readonly disks: readonly DiskParts[];
  /** A folder that it sees over 9p. */
  readonly share: Share | undefined;
}

/** The host side of a Linux guest's devices: console, reseed line, disks and 9p. */
export class LinuxMachine implements PcDevices {
  readonly console = new Console((bytes) => this.#engineNow().send(CONSOLE, bytes));
  readonly reseedLine = new ReseedLine((bytes) => this.#engineNow().send(RESEED, bytes));
  readonly #disks: readonly Disk[];
  readonly #share: Share | undefined;
  readonly #ninep: NinepServer;
  #identity: GuestIdentity = { generation: 0, epoch: 0n, unique: "" };
  #engine: GuestEngine | undefined;

  constructor({ disks, share }: MachineParts) {
    this.#disks = disks.map((parts) => new Disk(parts));
    this.#share = share;
    this.#ninep = new NinepServer(new GuestTree(() => this.#identity, share?.tree));
  }

  /** Changes what the identity file says. */
  identify(identity: GuestIdentity): void {
    this.#identity = identity;
  }

  /** Connects the devices of an engine's PC to this. */
  plugInto(engine: GuestEngine): void {
    this.#engine = engine;
    engine.serve(this);
  }

  #engineNow(): GuestEngine {
    if (this.#engine === undefined) throw new TypeError("the machine is plugged into no engine");
    return this.#engine;
  }

  /** Its disks, as the guest sees them. */
  get diskShapes(): readonly DiskShape[] {
    return this.#disks.map(({ shape }) => shape);
  }

  written(line: SerialLine, bytes: Uint8Array<ArrayBuffer>): void {
    if (line === CONSOLE) this.console.append(bytes);
    else this.reseedLine.append(bytes);
  }

  async readDisk(disk: number, at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#disk(disk).read(at, length);
  }

  async writeDisk(disk: number, at: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#disk(disk).write(at, bytes);
  }

  async flushDisk(disk: number): Promise<void> {
    await this.#disk(disk).flush();
  }

  serve9p(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return this.#ninep.answer(message);
  }

  /**
   * Reads what a snapshot needs of the devices. Call it after the engine was captured, when the
   * devices are at rest.
   *
   * @throws {Fault} `snapshots-exhausted`
   */
  async capture(): Promise<MachineImage> {
    const captured = [];
    let roomBytes = SNAPSHOT_OVERLAY_BYTES_MAX;
    for (const disk of this.#disks) {
      const one = await disk.capture(roomBytes);
      roomBytes -= overlayBytes([one.image]);
      captured.push(one);
    }
    const overlays = concat(captured.flatMap(({ bytes }) => bytes));
    const disks = captured.map(({ image }) => image);
    const { root } = this.#share ?? {};
    const fids = this.#ninep.image;
    return { disks, share: root, fids, reseed: this.reseedLine.image, overlays };
  }

  /** Restores what a snapshot holds of the devices. */
  async restore({ disks, fids, reseed, overlays }: MachineImage): Promise<void> {
    this.reseedLine.image = reseed;
    this.#ninep.image = fids;
    let at = 0;
    for (const [index, image] of disks.entries()) {
      const end = at + overlayBytes([image]);
      await this.#disk(index).restore(image, overlays.subarray(at, end));
      at = end;
    }
  }

  /** The guest has ended. */
  close(): void {
    this.console.close();
    // An inode reports what it cannot close, and overlays are removed at the next start.
    for (const disk of this.#disks) disk.close().catch(() => {});
  }

  #disk(index: number): Disk {
    const disk = this.#disks[index];
    if (disk === undefined) throw new SystemError("ENODEV", "use", `disk ${index}`);
    return disk;
  }
}
