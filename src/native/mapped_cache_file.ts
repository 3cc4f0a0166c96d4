import { CHUNK_BYTES } from "../core/limits.ts";
import type { NodeIdentity } from "../core/ports/backing_file.ts";
import type { CacheFile, CacheFiles } from "../core/ports/cache_file.ts";
import { type Range, Segments } from "../core/segments.ts";
import * as linux from "./constants.ts";
import { type Descriptor, openPath } from "./descriptor.ts";
import { statCached } from "./statx.ts";
import { readFully, removeIfPresent, setAside } from "./files.ts";
import { HostFileMapper } from "./host_file_mapper.ts";
import type { Libc } from "./libc.ts";

const CHUNK = BigInt(CHUNK_BYTES);
const SUFFIX = ".pages";

/**
 * Cache files in a folder that only this user can enter, mapped in chunks of 2 MiB
 * (docs/inodes.md#2). No other files are touched through mappings, since nobody else may truncate
 * these.
 */
export class MappedCacheFiles implements CacheFiles {
  readonly #libc: Libc;

  /** @param folder Is made when it is missing; its parent must exist */
  constructor(libc: Libc, readonly folder: string) {
    this.#libc = libc;
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  // deno-lint-ignore require-await -- the port lets other adapters wait
  async create(id: string): Promise<CacheFile> {
    const flags = linux.O_RDWR | linux.O_CREAT | linux.O_EXCL;
    return new MappedCacheFile(openPath(this.#libc, this.#path(id), flags, 0o600));
  }

  async list(): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const { name } of Deno.readDir(this.folder)) {
      if (name.endsWith(SUFFIX)) ids.push(name.slice(0, -SUFFIX.length));
    }
    return ids.sort();
  }

  async salvage(id: string, into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    using file = await Deno.open(this.#path(id), { read: true });
    await file.seek(offset, Deno.SeekMode.Start);
    return await readFully(file, into);
  }

  async remove(id: string): Promise<void> {
    await removeIfPresent(this.#path(id));
  }

  async setAside(id: string): Promise<string | undefined> {
    return await setAside(this.#path(id));
  }

  #path(id: string): string {
    return `${this.folder}/${id}${SUFFIX}`;
  }
}

class MappedCacheFile implements CacheFile {
  readonly path: string;
  readonly identity: NodeIdentity;
  readonly #libc: Libc;
  readonly #file: Descriptor;
  readonly #mapper: HostFileMapper;
  readonly #reserved = new Segments<true>();

  /** @param file An empty file; it is closed with this */
  constructor(file: Descriptor) {
    const { libc, number, subject } = file;
    this.path = subject;
    const { device, inode } = statCached(file);
    this.identity = { device, inode };
    this.#libc = libc;
    this.#file = file;
    this.#mapper = new HostFileMapper({
      map: (offset, isWritable, at = 0n) => {
        const protection = isWritable ? linux.PROT_READ | linux.PROT_WRITE : linux.PROT_READ;
        const flags = at === 0n ? linux.MAP_SHARED : linux.MAP_SHARED | linux.MAP_FIXED;
        const address = libc.symbols.mmap(at, CHUNK, protection, flags, number, offset);
        return libc.check(address, "mmap", subject);
      },
      unmap: (address) => void libc.symbols.munmap(address, CHUNK),
    });
  }

  async reserve(range: Range): Promise<void> {
    // A store into a hole of a full disk is a SIGBUS, so the blocks are allocated before.
    await this.#allocate(0, range);
    const fresh = new Segments<true>();
    fresh.set(range, true);
    for (const part of this.#reserved.within(range)) fresh.clear(part);
    for (const part of fresh) this.#mapper.incRefOn(part);
    this.#reserved.set(range, true);
    // Mapped now, so that no load or store can fail for lack of address space.
    for (const _block of this.#mapper.mapInternal(range, true));
  }

  load(into: Uint8Array<ArrayBuffer>, offset: bigint): void {
    this.#each(into, offset, (part, address) => {
      this.#libc.symbols.memcpy_to_js(part, address, BigInt(part.byteLength));
    });
  }

  store(bytes: Uint8Array<ArrayBuffer>, offset: bigint): void {
    this.#each(bytes, offset, (part, address) => {
      this.#libc.symbols.memcpy_from_js(address, part, BigInt(part.byteLength));
    });
  }

  async punch(range: Range): Promise<void> {
    const runs = this.#reserved.within(range);
    this.#reserved.clear(range);
    for (const run of runs) this.#mapper.decRefOn(run);
    await this.#allocate(linux.FALLOC_FL_PUNCH_HOLE | linux.FALLOC_FL_KEEP_SIZE, range);
  }

  close(): void {
    this.#mapper.unmapAll();
    this.#file[Symbol.dispose]();
  }

  async #allocate(mode: number, { start, end }: Range): Promise<void> {
    const args = [this.#file.number, mode, start, end - start] as const;
    await this.#libc.onThread("fallocate", [...args], this.path);
  }

  /** Calls `copy` for each part of the bytes that lies in one chunk. */
  #each(
    bytes: Uint8Array<ArrayBuffer>,
    offset: bigint,
    copy: (part: Uint8Array<ArrayBuffer>, address: bigint) => void,
  ): void {
    for (let done = 0; done < bytes.byteLength;) {
      const at = offset + BigInt(done);
      const length = Math.min(bytes.byteLength - done, CHUNK_BYTES - Number(at & (CHUNK - 1n)));
      const part = length === bytes.byteLength ? bytes : bytes.subarray(done, done + length);
      copy(part, this.#mapper.addressOf(at, true));
      done += length;
    }
  }
}
