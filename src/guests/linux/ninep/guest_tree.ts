import { S_IFDIR, S_IFREG } from "../../../core/file_type.ts";
import type { GuestIdentity } from "../../../core/ports/guest_engine.ts";
import type {
  NamePath,
  SharedName,
  SharedNode,
  SharedTree,
} from "../../../core/ports/shared_tree.ts";
import { SystemError } from "../../../core/system_error.ts";

/** Our folder at the top of the tree. It hides a file of the share that has the same name. */
const OURS = new TextEncoder().encode(".innkeeper");
/** The file in it: generation, epoch and unique as a shell reads them. */
const IDENTITY = new TextEncoder().encode("identity");

const FOLDER = S_IFDIR | 0o555;
const FILE = S_IFREG | 0o444;
/** A device number that no file of the share has, so that our inode numbers are unique. */
const DEVICE = 0n;
const [TOP_INODE, OURS_INODE, IDENTITY_INODE] = [1n, 2n, 3n];

/**
 * What a guest sees over 9p: a share, if there is one, and `.innkeeper/identity` beside its files
 * (docs/guests.md#identity). It is one tree because Linux mounts a 9p channel only once.
 */
export class GuestTree implements SharedTree {
  readonly #identity: () => GuestIdentity;
  readonly #share: SharedTree | undefined;

  constructor(identity: () => GuestIdentity, share: SharedTree | undefined) {
    this.#identity = identity;
    this.#share = share;
  }

  async node(path: NamePath): Promise<SharedNode> {
    if (isIdentity(path)) return this.#node(FILE, IDENTITY_INODE, this.#content().length);
    if (isOurs(path)) return this.#node(FOLDER, OURS_INODE, 0);
    if (this.#share !== undefined) return await this.#share.node(path);
    if (path.length === 0) return this.#node(FOLDER, TOP_INODE, 0);
    throw noFile();
  }

  async names(path: NamePath): Promise<readonly SharedName[]> {
    if (isIdentity(path)) throw new SystemError("ENOTDIR", "list", "the identity");
    if (isOurs(path)) {
      return [{ name: IDENTITY, inode: IDENTITY_INODE, type: S_IFREG }];
    }
    const shared = await this.#share?.names(path) ?? [];
    if (path.length > 0) return shared;
    const ours = { name: OURS, inode: OURS_INODE, type: S_IFDIR };
    return [ours, ...shared.filter(({ name }) => !isSame(name, OURS))];
  }

  async link(path: NamePath): Promise<Uint8Array> {
    if (isIdentity(path) || isOurs(path)) throw new SystemError("EINVAL", "readlink", "no link");
    return await this.#shared().link(path);
  }

  async read(
    path: NamePath,
    found: Pick<SharedNode, "device" | "inode">,
    at: bigint,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (isOurs(path)) throw new SystemError("EISDIR", "read", "a folder");
    if (!isIdentity(path)) return await this.#shared().read(path, found, at, length);
    const content = this.#content();
    const start = Number(at > BigInt(content.length) ? content.length : at);
    return content.slice(start, start + length);
  }

  #shared(): SharedTree {
    if (this.#share === undefined) throw noFile();
    return this.#share;
  }

  #content(): Uint8Array<ArrayBuffer> {
    const { generation, epoch, unique } = this.#identity();
    return new TextEncoder().encode(
      `generation=${generation}\nepoch=${epoch}\nunique=${unique}\n`,
    );
  }

  #node(mode: number, inode: bigint, size: number): SharedNode {
    // The epoch is the time of the last change, so that a cache in the guest notices every bump.
    const changedNs = this.#identity().epoch * 1_000_000_000n;
    return {
      mode,
      device: DEVICE,
      inode,
      uid: 0,
      gid: 0,
      links: 1,
      sizeBytes: BigInt(size),
      usageBytes: 0n,
      accessTimeNs: changedNs,
      modificationTimeNs: changedNs,
      statusChangeTimeNs: changedNs,
    };
  }
}

function isOurs(path: NamePath): boolean {
  return path.length === 1 && isSame(path[0], OURS);
}

/** @throws {SystemError} ENOENT for any other path below our folder */
function isIdentity(path: NamePath): boolean {
  if (path.length < 2 || !isSame(path[0], OURS)) return false;
  if (path.length === 2 && isSame(path[1], IDENTITY)) return true;
  throw noFile();
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.length === b.length && a.every((byte, index) => byte === b[index]);
}

function noFile(): SystemError {
  return new SystemError("ENOENT", "find", "a shared file");
}
