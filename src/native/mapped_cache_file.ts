import { HostFileMapper } from "./host_file_mapper.ts";
import { CHUNK_BYTES } from "../core/limits.ts";
import type { CacheFile, CacheFiles } from "../core/ports/cache_file.ts";
import { type Range, Segments } from "../core/segments.ts";
import { cString, type Libc } from "./libc.ts";

const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_CLOEXEC = 0o2000000;
const PROT_READ = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FIXED = 0x10;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const CHUNK = BigInt(CHUNK_BYTES);
const SUFFIX = ".pages";

/**
 * Cache files in a folder of ours (0700, files 0600), mapped in chunks of 2 MiB (spec decision 2).
 * They alone are touched through mappings: nobody else may truncate them.
 */
export class MappedCacheFiles implements CacheFiles {
  readonly #libc: Libc;

  /** @param folder Is made when it is not there; its parent must be */
  constructor(libc: Libc, readonly folder: string) {
    this.#libc = libc;
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  // deno-lint-ignore require-await -- the port lets other adapters wait
  async create(id: string): Promise<CacheFile> {
    const path = this.#path(id);
    const flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    const fd = this.#libc.symbols.open(cString(path), flags, 0o600);
    return new MappedCacheFile(this.#libc, this.#libc.check(fd, "open", path), path);
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
    let read = 0;
    while (read < into.byteLength) {
      const count = await file.read(into.subarray(read));
      if (count === null) break;
      read += count;
    }
    return read;
  }

  async remove(id: string): Promise<void> {
    try {
      await Deno.remove(this.#path(id));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #path(id: string): string {
    return `${this.folder}/${id}${SUFFIX}`;
  }
}

class MappedCacheFile implements CacheFile {
  readonly path: string;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #mapper: HostFileMapper;
  readonly #reserved = new Segments<true>();

  constructor(libc: Libc, fd: number, path: string) {
    this.path = path;
    this.#libc = libc;
    this.#fd = fd;
    const { symbols } = libc;
    this.#mapper = new HostFileMapper({
      map: (offset, isWritable, at = 0n) => {
        const prot = isWritable ? PROT_READ_WRITE : PROT_READ;
        const flags = at === 0n ? MAP_SHARED : MAP_SHARED | MAP_FIXED;
        return libc.check(symbols.mmap(at, CHUNK, prot, flags, fd, offset), "mmap", path);
      },
      unmap: (address) => void symbols.munmap(address, CHUNK),
    });
  }

  async reserve(range: Range): Promise<void> {
    // A store into a hole of a full disk would be a SIGBUS: the blocks are taken before.
    await this.#allocate(0, range);
    const fresh = new Segments<true>();
    fresh.set(range, true);
    for (const part of this.#reserved.within(range)) fresh.clear(part);
    for (const part of fresh) this.#mapper.incRefOn(part);
    this.#reserved.set(range, true);
    // Mapped now, so that no load or store can fail for want of address space.
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
    await this.#allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range);
  }

  close(): void {
    this.#mapper.unmapAll();
    this.#libc.symbols.close(this.#fd);
  }

  async #allocate(mode: number, { start, end }: Range): Promise<void> {
    await this.#libc.onThread("fallocate", [this.#fd, mode, start, end - start], this.path);
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
