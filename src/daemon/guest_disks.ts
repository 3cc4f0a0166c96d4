import { Fault } from "../core/faults.ts";
import { CACHE_FULL_TRIES, DISK_BYTES_MAX, DISKS_PER_GUEST_MAX } from "../core/limits.ts";
import type { DiskFile, DiskSource } from "../core/ports/disk_file.ts";
import type { Random } from "../core/ports/random.ts";
import { SystemError } from "../core/system_error.ts";
import type { DiskImage, DiskParts } from "../guests/linux/disk.ts";
import type { CachingInode } from "../inodes/store/caching_inode.ts";
import type { InodeStore } from "../inodes/store/store.ts";

/** A disk of a guest that is asked for: an open inode, and whether the guest may write. */
export interface DiskRequest {
  readonly inode: string;
  readonly readOnly: boolean;
}

/** Root in which the overlays of disks are kept; no client can name it. */
export const OVERLAY_ROOT = ":overlays";

const SECTOR_BYTES = 512;
const NAME_BYTES = 8;

/** Makes the disks of guests out of inodes: bases that are shared, overlays of their own. */
export class GuestDisks {
  readonly #inodes: InodeStore;
  readonly #random: Random;

  constructor(inodes: InodeStore, random: Random) {
    this.#inodes = inodes;
    this.#random = random;
  }

  /**
   * Opens the disks of a new guest.
   *
   * @throws {Fault} `inode-not-found`, `value-not-allowed`, and as an open does. Then none is open
   */
  async open(guest: string, requests: readonly DiskRequest[]): Promise<DiskParts[]> {
    if (requests.length > DISKS_PER_GUEST_MAX) {
      throw new Fault(
        "value-not-allowed",
        `Cannot make guest "${guest}": it may have ${DISKS_PER_GUEST_MAX} disks: received ` +
          `${requests.length}`,
      );
    }
    return await this.#all(requests, async ({ inode: id, readOnly }) => {
      const { identity } = this.#inodes.inode(id);
      const holder = this.#newHolder(guest);
      const base = await this.#hold(holder, identity);
      if (base.identity.id === id) return await this.#parts(holder, base, readOnly);
      await this.#release(holder, base);
      throw changed(`inode ${id}: its path leads to another file`);
    });
  }

  /**
   * Opens the disks of a clone: the same bases, if they are still the same, and new overlays.
   *
   * @throws {Fault} `backing-changed`, and as an open does. Then none is open
   */
  async reopen(guest: string, images: readonly DiskImage[]): Promise<DiskParts[]> {
    return await this.#all(images, async ({ source, sizeBytes, readOnly }) => {
      const holder = this.#newHolder(guest);
      const base = await this.#hold(holder, source);
      if (sourceOf(base).content === source.content && base.size === BigInt(sizeBytes)) {
        return await this.#parts(holder, base, readOnly);
      }
      await this.#release(holder, base);
      throw changed(`${source.path}: it is not the file of the snapshot any more`);
    });
  }

  async #all<From>(
    from: readonly From[],
    open: (one: From) => Promise<DiskParts>,
  ): Promise<DiskParts[]> {
    const disks: DiskParts[] = [];
    try {
      for (const one of from) disks.push(await open(one));
      return disks;
    } catch (error) {
      await closeAll(disks);
      throw error;
    }
  }

  /**
   * A holder of its own for each disk, under a name that no client can give: a guest may have the
   * same base twice, and one that ends may let go when another of its name has come.
   */
  #newHolder(guest: string): string {
    return `guest:${guest}:${this.#random.bytes(NAME_BYTES).toHex()}`;
  }

  async #hold(
    holder: string,
    { root, path, access, cache }: Omit<DiskSource, "content">,
  ): Promise<CachingInode> {
    const { inode } = root === undefined
      ? await this.#inodes.open({ url: path, holder })
      : await this.#inodes.open({
        ...{ root, path, access, cache, holder },
        create: "never",
        permissions: 0,
      });
    return inode;
  }

  async #parts(holder: string, base: CachingInode, readOnly: boolean): Promise<DiskParts> {
    const sizeBytes = Number(base.size);
    try {
      if (sizeBytes === 0 || sizeBytes % SECTOR_BYTES !== 0 || sizeBytes > DISK_BYTES_MAX) {
        throw new Fault(
          "value-not-allowed",
          `Cannot use inode ${base.identity.id} as a disk: a disk has whole sectors of ` +
            `${SECTOR_BYTES} bytes, ${DISK_BYTES_MAX} bytes at most: it has ${base.size}`,
        );
      }
      return {
        sizeBytes,
        source: sourceOf(base),
        base: fileOf(base, () => this.#release(holder, base)),
        overlay: readOnly ? undefined : await this.#overlay(holder, base.size),
      };
    } catch (error) {
      await this.#release(holder, base);
      throw error;
    }
  }

  async #overlay(holder: string, sizeBytes: bigint): Promise<DiskFile> {
    const path = this.#random.bytes(NAME_BYTES).toHex();
    const { inode } = await this.#inodes.open({
      ...{ root: OVERLAY_ROOT, path, access: "rw", cache: "own", holder },
      create: "exclusive",
      permissions: 0o600,
      isHidden: true,
    });
    const drop = async (): Promise<void> => {
      // Nobody will read it again: what was not written back need not be.
      await inode.invalidate(true);
      await inode.unlink(path);
      await this.#inodes.release(inode.identity.id, holder);
    };
    try {
      await inode.setAttributes({ sizeBytes });
      return fileOf(inode, drop);
    } catch (error) {
      await drop();
      throw error;
    }
  }

  async #release(holder: string, base: CachingInode): Promise<void> {
    await this.#inodes.release(base.identity.id, holder).catch(ifGone);
  }
}

/** Closes disks that no guest has taken. */
export async function closeAll(disks: readonly DiskParts[]): Promise<void> {
  for (const { base, overlay } of disks) {
    try {
      await overlay?.close();
    } finally {
      await base.close();
    }
  }
}

function sourceOf(inode: CachingInode): DiskSource {
  const { root, path, access, cache } = inode.identity;
  const { device, inode: number, modificationTimeNs, version = "" } = inode.attributes();
  const content = [device, number, modificationTimeNs, version].join(":");
  return { ...(root === undefined ? {} : { root }), path, access, cache, content };
}

function fileOf(inode: CachingInode, close: () => Promise<void>): DiskFile {
  return {
    async read(at, length) {
      const bytes = new Uint8Array(length);
      if (await inode.read(bytes, BigInt(at)) === length) return bytes;
      throw new SystemError("EIO", "read", `inode ${inode.identity.id}: it has become shorter`);
    },
    async write(at, bytes) {
      for (let tries = 1;; tries++) {
        try {
          return await inode.write(bytes, BigInt(at));
        } catch (error) {
          const isFull = error instanceof Fault && error.code === "cache-full";
          if (!isFull || tries >= CACHE_FULL_TRIES) throw error;
          // Room comes with what is written back: the guest waits meanwhile, as for a disk.
          await inode.sync();
        }
      }
    },
    sync: () => inode.sync(),
    close,
  };
}

function ifGone(error: unknown): void {
  if (error instanceof Fault && error.kind === "missing") return;
  throw error;
}

function changed(what: string): Fault {
  return new Fault("backing-changed", `Cannot use ${what}; open the file that is there now`);
}
