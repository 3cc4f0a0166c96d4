import type { GuestEngine } from "../../core/ports/guest_engine.ts";
import type { DiskShape, PcDevices, SerialLine } from "../../core/ports/pc_devices.ts";
import { SystemError } from "../../core/system_error.ts";
import { Console } from "./console.ts";

/** The serial line that is a guest's console. */
const CONSOLE: SerialLine = 0;

/** What the devices of a Linux guest lead to. */
export class LinuxMachine implements PcDevices {
  readonly console = new Console((bytes) => this.#engineNow().send(CONSOLE, bytes));
  #engine: GuestEngine | undefined;

  /** Leads the devices of an engine's PC here. */
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
    return [];
  }

  written(line: SerialLine, bytes: Uint8Array<ArrayBuffer>): void {
    if (line === CONSOLE) this.console.append(bytes);
  }

  readDisk(disk: number): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.reject(new SystemError("ENODEV", "read", `disk ${disk}`));
  }

  writeDisk(disk: number): Promise<void> {
    return Promise.reject(new SystemError("ENODEV", "write", `disk ${disk}`));
  }

  flushDisk(disk: number): Promise<void> {
    return Promise.reject(new SystemError("ENODEV", "flush", `disk ${disk}`));
  }

  serve9p(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(message);
  }

  /** The guest has ended. */
  close(): void {
    this.console.close();
  }
}
