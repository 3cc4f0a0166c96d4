import { STORAGE_LAYERS_MAX } from "../../core/limits.ts";
import type { HostNodeIdentity, HostTree } from "../../core/ports/host_tree.ts";
import type { DeviceInfo } from "./device_info.ts";
import type { HostRoots } from "./host_roots.ts";
import { cleanPath } from "./paths.ts";
import { isMissing, unreadable } from "./unreadable.ts";

/**
 * Which storage of the host a path leads to (docs/devices.md#storage). A name is `block 8:0` or
 * `file 8:1:42`: the device of its file system, then its inode.
 */
export interface Storage {
  /** Names of just this storage; the first is the path's own. A loop device is its file too. */
  readonly self: readonly string[];
  /** Names of what holds this storage and more: the disk of a partition, of a volume, of a file. */
  readonly below: readonly string[];
  /** Of a block device: the kernel's count of disks, which grows when a disk or a loop's file is changed. */
  readonly diskseq?: string | undefined;
}

/** What is not on storage, or is not there. */
const NOWHERE: Storage = { self: [], below: [] };
const NUMBERS = /^[0-9]{1,10}:[0-9]{1,10}$/;
/** How device mapper begins the UUID of several paths to one disk. */
const MULTIPATH = "mpath-";

/** Finds out which storage is behind a path. It changes nothing. */
export class StorageGraph {
  readonly #tree: HostTree;
  readonly #roots: Pick<HostRoots, "sysDev">;

  constructor(hostTree: HostTree, roots: Pick<HostRoots, "sysDev">) {
    this.#tree = hostTree;
    this.#roots = roots;
  }

  /**
   * The storage that is at a path or that a path is on.
   *
   * @param numbers Of the block device that should be there, for one that sysfs has and `/dev` not
   * @returns `undefined` for what is on no storage, and for a path with nothing at it
   * @throws {Fault} `device-unreadable` when the host does not let us know: then nobody can say
   * whether another sandbox has it
   */
  async of(
    path: string,
    numbers?: Pick<DeviceInfo, "major" | "minor">,
  ): Promise<Storage | undefined> {
    const found = await this.#ofPath(path, 0);
    const isFound = found.self.length + found.below.length > 0;
    const storage = isFound || numbers === undefined
      ? found
      : await this.#ofBlock(`${numbers.major}:${numbers.minor}`, 0);
    const self = [...new Set(storage.self)];
    const below = [...new Set(storage.below)].filter((name) => !self.includes(name));
    if (self.length + below.length === 0) return undefined;
    const diskseq = await this.#diskseq(self[0]);
    return { self, below, ...(diskseq === undefined ? {} : { diskseq }) };
  }

  /** A partition has that of its disk. Kernels before 5.15 have none. */
  async #diskseq(name = ""): Promise<string | undefined> {
    if (!name.startsWith("block ")) return undefined;
    const folder = `${this.#roots.sysDev}/block/${name.slice("block ".length)}`;
    const isPart = await this.#text(`${folder}/partition`) !== undefined;
    return (await this.#text(`${folder}/${isPart ? "../" : ""}diskseq`))?.trim();
  }

  async #ofPath(path: string, depth: number): Promise<Storage> {
    const node = await this.#identified(path);
    switch (node?.kind) {
      case "block":
        return await this.#ofBlock(`${node.rdevMajor}:${node.rdevMinor}`, depth);
      case "file":
        return { self: [fileName(node)], below: await this.#volumeOf(node, depth) };
      // A folder is no identity: one that is mounted twice can look different at each place.
      case "directory":
        return { self: [], below: await this.#volumeOf(node, depth) };
      case "socket":
        return { self: [fileName(node)], below: [] };
      default:
        return NOWHERE;
    }
  }

  /** What a file system is on. Major 0 stands for one without a device of its own. */
  async #volumeOf({ deviceMajor, deviceMinor }: HostNodeIdentity, depth: number) {
    if (deviceMajor === 0) return [];
    return allOf(await this.#ofBlock(`${deviceMajor}:${deviceMinor}`, depth + 1));
  }

  /** @param numbers Major and minor, as sysfs writes them */
  async #ofBlock(numbers: string, depth: number): Promise<Storage> {
    const folder = `${this.#roots.sysDev}/block/${numbers}`;
    if (depth > STORAGE_LAYERS_MAX) {
      throw unreadable(folder, `it is on more than ${STORAGE_LAYERS_MAX} layers of devices`);
    }
    const self = [`block ${numbers}`];
    const below: string[] = [];
    if (await this.#text(`${folder}/partition`) !== undefined) {
      below.push(...allOf(await this.#ofBlock(await this.#numbers(`${folder}/..`), depth + 1)));
    }
    const backing = (await this.#text(`${folder}/loop/backing_file`))?.trim();
    if (backing !== undefined && backing !== "") {
      const file = await this.#ofPath(backing, depth + 1);
      // The kernel has the file open also where we see none of that name.
      self.push(...file.self.length > 0 ? file.self : [`path ${cleanPath(backing)}`]);
      below.push(...file.below);
    }
    const isMultipath = await this.#isMultipath(folder);
    for (const slave of await this.#names(`${folder}/slaves`)) {
      const part = await this.#numbers(`${folder}/slaves/${slave}`);
      if (isMultipath) self.push(`block ${part}`);
      else below.push(...allOf(await this.#ofBlock(part, depth + 1)));
    }
    for (const holder of await this.#names(`${folder}/holders`)) {
      const above = `${folder}/holders/${holder}`;
      if (await this.#isMultipath(above)) self.push(`block ${await this.#numbers(above)}`);
    }
    return { self, below };
  }

  /** Such a device and each of its paths are one disk. */
  async #isMultipath(folder: string): Promise<boolean> {
    return (await this.#text(`${folder}/dm/uuid`))?.startsWith(MULTIPATH) === true;
  }

  async #numbers(folder: string): Promise<string> {
    const path = `${folder}/dev`;
    const text = (await this.#text(path))?.trim();
    if (text !== undefined && NUMBERS.test(text)) return text;
    throw unreadable(path, "it must hold the numbers of a device, such as 8:0");
  }

  async #identified(path: string): Promise<HostNodeIdentity | undefined> {
    try {
      return await this.#tree.identify(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw unreadable(path, error);
    }
  }

  async #text(path: string): Promise<string | undefined> {
    try {
      return new TextDecoder().decode(await this.#tree.readFile(path));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw unreadable(path, error);
    }
  }

  async #names(path: string): Promise<readonly string[]> {
    try {
      return await this.#tree.list(path);
    } catch (error) {
      if (isMissing(error)) return [];
      throw unreadable(path, error);
    }
  }
}

function fileName({ deviceMajor, deviceMinor, inode }: HostNodeIdentity): string {
  return `file ${deviceMajor}:${deviceMinor}:${inode}`;
}

function allOf({ self, below }: Storage): string[] {
  return [...self, ...below];
}
