import type { DiskShape } from "../../core/ports/pc_devices.ts";
import type { IdeDrive } from "./cpu.ts";
import { UnderWay } from "./under_way.ts";

/** ATA commands that are answered here and not by v86. */
const FLUSHES: ReadonlySet<number> = new Set([0xe7, 0xea]);
const WRITES: ReadonlySet<number> = new Set([0x30, 0x34, 0x35, 0x39, 0xc5, 0xca]);
const IDENTIFY = 0xec;
/** IDENTIFY DEVICE: the lower bytes of words 82 and 85, for what is supported and what is on. */
const WRITE_CACHE_AT = [2 * 82, 2 * 85] as const;
const WRITE_CACHE = 0x20;
const READY = 0x40 | 0x10;
const BUSY = 0x80 | 0x40;
const DMA_ACTIVE = 1;
const DMA_ERROR = 2;

/** Where a disk's bytes are. */
interface DiskHost {
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  write(at: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  flush(): Promise<void>;
}

const PLUGGED = new WeakMap<IdeDrive, IdeDisk>();
const CAUGHT = new WeakSet<object>();

/** Changes the drives' prototype, because v86 seals the drives themselves. */
function catchCommands(drives: IdeDrive): void {
  if (CAUGHT.has(drives)) return;
  CAUGHT.add(drives);
  const command = drives.ata_command;
  drives.ata_command = function (this: IdeDrive, code: number): void {
    const disk = PLUGGED.get(this);
    if (disk?.caught(this, code) === true) return;
    command.call(this, code);
    // A guest flushes only a drive that says it has a write cache.
    if (disk === undefined || code !== IDENTIFY) return;
    for (const at of WRITE_CACHE_AT) this.data[at] = (this.data[at] ?? 0) | WRITE_CACHE;
  };
}

/**
 * A disk on v86's IDE controller, with the methods of v86's own disk buffers. v86 answers FLUSH CACHE
 * at once and knows neither errors nor read-only disks, so these commands are caught here.
 */
export class IdeDisk {
  readonly byteLength: number;
  /** Set by v86, which waits for this call when it starts. */
  onload: ((loaded: { buffer: null }) => void) | undefined;
  readonly #shape: DiskShape;
  readonly #host: DiskHost;
  #drive: IdeDrive | undefined;
  readonly underWay = new UnderWay();

  constructor(shape: DiskShape, host: DiskHost) {
    this.#shape = shape;
    this.#host = host;
    this.byteLength = shape.sizeBytes;
  }

  /** Starts to catch commands of the drive that v86 has made for this disk. */
  plug(drive: IdeDrive): void {
    this.#drive = drive;
    catchCommands(Object.getPrototypeOf(drive));
    PLUGGED.set(drive, this);
  }

  /**
   * Does a command of the drive here, if it is one that v86 gets wrong.
   *
   * @returns Whether it was
   */
  caught(drive: IdeDrive, code: number): boolean {
    // A busy drive takes no command (ATA, BSY), but v86 would begin as many as a guest gives.
    if (this.underWay.count > 0) return true;
    if (FLUSHES.has(code)) {
      drive.status_reg = BUSY;
      this.#do(() => this.#host.flush(), () => {
        drive.status_reg = READY;
        drive.push_irq();
      });
      return true;
    }
    if (!this.#shape.readOnly || !WRITES.has(code)) return false;
    drive.ata_abort_command();
    return true;
  }

  load(): void {
    this.onload?.({ buffer: null });
  }

  get(at: number, length: number, done: (bytes: Uint8Array) => void): void {
    this.#do(() => this.#host.read(at, length), done);
  }

  set(at: number, bytes: Uint8Array, done: () => void): void {
    const copy = new Uint8Array(bytes);
    this.#do(() => this.#host.write(at, copy), done);
  }

  /** v86 guesses a geometry from the first sector. Zeros make it take its default. */
  get_and_cache(at: number, length: number, done: (bytes: Uint8Array) => void): void {
    done(this.get_from_cache(at, length));
  }

  get_from_cache(_at: number, length: number): Uint8Array {
    return new Uint8Array(length);
  }

  /** The host has the bytes and saves them, so v86 has nothing to save. */
  get_state(): unknown[] {
    return [[]];
  }

  set_state(): void {}

  #do<Result>(start: () => Promise<Result>, done: (result: Result) => void): void {
    // A guest that starts a transfer while another one is under way gets no answer.
    if (this.underWay.count > 0) return;
    this.underWay.add(start(), done, () => this.#fail());
  }

  /** Ends the command with an error, as a drive that cannot read a sector does. */
  #fail(): void {
    const drive = this.#drive;
    if (drive === undefined) return;
    drive.cancel_io_operations();
    drive.channel.dma_status = drive.channel.dma_status & ~DMA_ACTIVE | DMA_ERROR;
    drive.ata_abort_command();
  }
}
