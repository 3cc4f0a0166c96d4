import { Fault } from "../core/faults.ts";
import { CACHE_FULL_TRIES, DISK_BYTES_MAX, DISKS_PER_GUEST_MAX } from "../core/limits.ts";
import type {
  DiskFile,
  DiskParts,
  DiskRequest,
  DiskSource,
  GuestFiles,
  SavedDisk,
  Share,
} from "../core/ports/guest_files.ts";
import type { Random } from "../core/ports/random.ts";
import type { SharedTree } from "../core/ports/shared_tree.ts";
import { SystemError } from "../core/system_error.ts";
import type { CachingInode } from "../inodes/content/caching_inode.ts";
import type { InodeStore } from "../inodes/store/store.ts";

/** Root of the overlays of disks; no client can name it. */
export const OVERLAY_ROOT = ":overlays";

const SECTOR_BYTES = 512n;
const NAME_BYTES = 8;

/** What the files of guests are made of. */
interface InodeFilesParts {
  readonly inodes: InodeStore;
  /** What guests can be shown of each root, by its name. */
  readonly shares: ReadonlyMap<string, SharedTree>;
  readonly random: Random;
}

/**
 * Makes what guests need out of inodes: images are read through the cache, the base of a disk is
 * shared by all that have it, and each writes into an overlay of its own (docs/guests.md#disks).
 */
export class InodeFiles implements GuestFiles {
  readonly #inodes: InodeStore;
  readonly #shares: InodeFilesParts["shares"];
  readonly #random: Random;

  constructor({ inodes, shares, random }: InodeFilesParts) {
    this.#inodes = inodes;
    this.#shares = shares;
    this.#random = random;
  }

  readAll(inode: string): Promise<Uint8Array> {
    return this.#inodes.readAll(inode);
  }

  share(root: string): Share {
    const tree = this.#shares.get(root);
    if (tree !== undefined) return { root, tree };
    throw new Fault(
      "root-not-found",
      `Cannot share root "${root}": no --root has this name`,
    );
  }

  async openDisks(guest: string, requests: readonly DiskRequest[]): Promise<DiskParts[]> {
    if (requests.length > DISKS_PER_GUEST_MAX) {
      throw new Fault(
        "value-not-allowed",
        `Cannot make guest "${guest}": it may have ${DISKS_PER_GUEST_MAX} disks: received ` +
          `${requests.length}`,
      );
    }
    return await openAll(requests, ({ inode: id, readOnly }) => {
      const isSame = ({ identity }: CachingInode): boolean => identity.id === id;
      const what = `inode ${id}: its path leads to another file`;
      return this.#open(guest, this.#inodes.inode(id).identity, readOnly, isSame, what);
    });
  }

  reopenDisks(guest: string, disks: readonly SavedDisk[]): Promise<DiskParts[]> {
    return openAll(disks, ({ source, sizeBytes, readOnly }) => {
      const isSame = (base: CachingInode): boolean =>
        sourceOf(base).content === source.content && base.size === BigInt(sizeBytes);
      const what = `${source.path}: it is not the file of the snapshot any more`;
      return this.#open(guest, source, readOnly, isSame, what);
    });
  }

  /**
   * Opens one disk.
   *
   * @param isSame Whether the base is still what it must be
   * @param what What to say when it is not
   */
  async #open(
    guest: string,
    source: Omit<DiskSource, "content">,
    readOnly: boolean,
    isSame: (base: CachingInode) => boolean,
    what: string,
  ): Promise<DiskParts> {
    // A holder of its own for each disk, under a name that no client can give: a guest may have
    // the same base twice, and one that ends may let go when another of its name has come.
    const holder = `guest:${guest}:${this.#newName()}`;
    const base = await this.#hold(holder, source);
    const release = () => this.#inodes.release(base.identity.id, holder).catch(ifGone);
    try {
      if (!isSame(base)) {
        throw new Fault("backing-changed", `Cannot use ${what}; open the file that is there now`);
      }
      requireSectors(base);
      return {
        sizeBytes: Number(base.size),
        source: sourceOf(base),
        base: fileOf(base, async () => void await release()),
        overlay: readOnly ? undefined : await this.#overlay(holder, base.size),
      };
    } catch (error) {
      await release();
      throw error;
    }
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

  async #overlay(holder: string, sizeBytes: bigint): Promise<DiskFile> {
    const path = this.#newName();
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

  #newName(): string {
    return this.#random.bytes(NAME_BYTES).toHex();
  }
}

/** Opens all disks, or none. */
async function openAll<Wanted>(
  wanted: readonly Wanted[],
  open: (one: Wanted) => Promise<DiskParts>,
): Promise<DiskParts[]> {
  const disks: DiskParts[] = [];
  try {
    for (const one of wanted) disks.push(await open(one));
    return disks;
  } catch (error) {
    await closeAll(disks);
    throw error;
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

function requireSectors({ size, identity }: CachingInode): void {
  if (size > 0n && size % SECTOR_BYTES === 0n && size <= DISK_BYTES_MAX) return;
  throw new Fault(
    "value-not-allowed",
    `Cannot use inode ${identity.id} as a disk: a disk has whole sectors of ${SECTOR_BYTES} ` +
      `bytes, ${DISK_BYTES_MAX} bytes at most: it has ${size}`,
  );
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
          await inode.write(bytes, BigInt(at));
          return;
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
