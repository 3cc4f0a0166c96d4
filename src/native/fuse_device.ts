import { MOUNT_REQUEST_BYTES } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";
import {
  F_SETFD,
  FD_CLOEXEC,
  MS_NODEV,
  MS_NOSUID,
  O_NONBLOCK,
  O_PATH,
  O_RDWR,
} from "./constants.ts";
import { Descriptor, openPath } from "./descriptor.ts";
import { cString, type Libc } from "./libc.ts";
import { detachMount, realFolder } from "./mount_table.ts";
import { Processes } from "./processes.ts";
import { statCached } from "./statx.ts";

/** `_IOW(229, 1, struct fuse_backing_map)` and `_IOW(229, 2, uint32_t)` of linux/fuse.h. */
const FUSE_DEV_IOC_BACKING_OPEN = 0x4010_e501n;
const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004_e502n;
const BACKING_MAP_BYTES = 16;
const ROOT_MODE_FOLDER = "40000";

/** Type of the file system, as /proc/mounts shows it. */
export const FUSE_TYPE = "fuse.innkeeper";

/** How to mount. */
interface FuseMount {
  /** An existing folder. */
  readonly folder: string;
  readonly uid: number;
  readonly gid: number;
  /** Lets other users in; each request says whose it is. */
  readonly others: boolean;
}

/** A device that the launcher has mounted, as the daemon is told of it. */
export interface LentDevice {
  readonly fd: number;
  readonly folder: string;
  /** Number of the file system's device, in decimal. */
  readonly device: string;
}

/** FUSE_NOTIFY_RESEND: a head alone, its error saying what it is. */
const RESEND = new Uint8Array(Int32Array.of(16, 7, 0, 0).buffer);

/** One mounted file system: requests are read from its device and answered there. */
export class FuseDevice {
  readonly #libc: Libc;
  readonly #file: Descriptor;
  readonly #processes: Processes;
  readonly #stopRefusing: () => void;
  readonly #isLent: boolean;
  /** Where requests are read into. */
  readonly #request = new Uint8Array(MOUNT_REQUEST_BYTES);
  #isClosed = false;

  /**
   * @param file The device, open
   * @param folder Where it is mounted, without links
   * @param device Number of the file system's device
   * @param isLent Whether another process has mounted it and will unmount it
   */
  private constructor(
    file: Descriptor,
    readonly folder: string,
    readonly device: bigint,
    isLent = false,
  ) {
    this.#isLent = isLent;
    this.#libc = file.libc;
    this.#file = file;
    this.#processes = new Processes(file.libc);
    this.#stopRefusing = file.libc.ownMounts.add(device);
  }

  /** The device's descriptor. */
  get fd(): number {
    return this.#file.number;
  }

  /**
   * Opens the device and mounts it on a folder. INIT is the first request.
   *
   * @throws {SystemError} ENOENT without /dev/fuse, EPERM without the right to mount
   */
  static mount(libc: Libc, { uid, gid, others, ...where }: FuseMount): FuseDevice {
    const folder = realFolder(libc, where.folder);
    const device = openPath(libc, "/dev/fuse", O_RDWR | O_NONBLOCK);
    const options =
      `fd=${device.number},rootmode=${ROOT_MODE_FOLDER},user_id=${uid},group_id=${gid}` +
      (others ? ",allow_other" : "");
    const args = [cString("innkeeper"), cString(folder), cString(FUSE_TYPE)] as const;
    const flags = BigInt(MS_NOSUID | MS_NODEV);
    if (libc.symbols.mount(...args, flags, cString(options)) >= 0) {
      // Neither of both asks the file system, which does not answer yet.
      using root = openPath(libc, folder, O_PATH);
      return new FuseDevice(device, folder, statCached(root).device);
    }
    const errno = libc.errno();
    device[Symbol.dispose]();
    throw new SystemError(errno, "mount", folder);
  }

  /** Takes a device that another process has mounted and keeps (docs/mount.md#8). */
  static borrow(libc: Libc, { fd, folder, device }: LentDevice): FuseDevice {
    libc.symbols.fcntl(fd, F_SETFD, FD_CLOEXEC);
    return new FuseDevice(new Descriptor(libc, fd, "/dev/fuse"), folder, BigInt(device), true);
  }

  /**
   * Makes the kernel send every request again that was read and not answered.
   *
   * @returns Whether the kernel can (Linux 6.9)
   */
  resend(): boolean {
    return this.send(RESEND) === undefined;
  }

  /**
   * Reads the next request, without waiting.
   *
   * @returns The message, good until the next call; `undefined` when there is none; `gone` when
   * the file system was unmounted
   * @throws {SystemError} when the device fails otherwise
   */
  read(): Uint8Array<ArrayBuffer> | "gone" | undefined {
    const size = BigInt(this.#request.byteLength);
    const read = this.#libc.symbols.read(this.fd, this.#request, size);
    if (read >= 0n) return this.#request.subarray(0, Number(read));
    const errno = this.#libc.errno();
    // ENOENT and EINTR: a request was withdrawn while it was read.
    if (errno === "EAGAIN" || errno === "EINTR" || errno === "ENOENT") return undefined;
    if (errno === "ENODEV") return "gone";
    throw new SystemError(errno, "read", this.#file.subject);
  }

  /**
   * Whether a thread that makes a request is one of this process, whose call must be refused: it
   * may wait on the event loop, for itself.
   */
  isOwnCall(thread: number): boolean {
    const isOwn = this.#processes.isOwnThread(thread);
    if (isOwn) this.#libc.ownMounts.noteRefusal();
    return isOwn;
  }

  /**
   * Sends an answer or a notification.
   *
   * @returns The errno where the kernel did not take it: ENOENT when nobody waits for it any more
   */
  send(message: Uint8Array<ArrayBuffer>): string | undefined {
    if (this.#isClosed) return "ENODEV";
    const size = BigInt(message.byteLength);
    return this.#libc.symbols.write(this.fd, message, size) < 0n ? this.#libc.errno() : undefined;
  }

  /**
   * Registers a file that maps can show.
   *
   * @param fd Open; it may be closed after this
   * @returns The id by which an answer to OPEN names it
   * @throws {SystemError} EPERM without CAP_SYS_ADMIN, ELOOP for a stacked file system, ENOTTY
   * before Linux 6.9
   */
  openBacking(fd: number): number {
    if (this.#isClosed) throw new SystemError("ENODEV", "ioctl BACKING_OPEN", "/dev/fuse");
    const map = new Uint8Array(BACKING_MAP_BYTES);
    new DataView(map.buffer).setInt32(0, fd, true);
    const id = this.#libc.symbols.ioctl(this.fd, FUSE_DEV_IOC_BACKING_OPEN, map);
    return this.#libc.check(id, "ioctl BACKING_OPEN", "/dev/fuse");
  }

  /** Lets go of a backing file. Files that are open with it are not changed by this. */
  closeBacking(id: number): void {
    if (this.#isClosed) return;
    const argument = new Uint8Array(Uint32Array.of(id).buffer);
    this.#libc.symbols.ioctl(this.fd, FUSE_DEV_IOC_BACKING_CLOSE, argument);
  }

  /**
   * Unmounts, and ends the connection. A device that is lent is only let go of: whoever uses the file
   * system waits for the next process. Otherwise a request that waits is answered ECONNABORTED, and every later
   * call on an open file ENOTCONN.
   */
  close(): void {
    if (this.#isClosed) return;
    // An answer that comes later must not go to whatever gets this descriptor's number.
    this.#isClosed = true;
    if (!this.#isLent) detachMount(this.#libc, this.folder, this.device);
    this.#file[Symbol.dispose]();
    this.#stopRefusing();
  }
}
