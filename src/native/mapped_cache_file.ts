import { CHUNK_BYTES } from "../core/limits.ts";
import type { CacheFile, CacheFiles } from "../core/ports/cache_file.ts";
import { type Range, Segments } from "../core/segments.ts";
import { SystemError } from "../core/system_error.ts";
import { cString, type Libc } from "./libc.ts";

const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_CLOEXEC = 0o2000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
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
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #path: string;
  /** Address of each mapped chunk, by its number in the file. */
  readonly #chunks = new Map<bigint, bigint>();
  readonly #reserved = new Segments<true>();

  constructor(libc: Libc, fd: number, path: string) {
    this.#libc = libc;
    this.#fd = fd;
    this.#path = path;
  }

  async reserve(range: Range): Promise<void> {
    // A store into a hole of a full disk would be a SIGBUS: the blocks are taken before.
    await this.#allocate(0, range);
    for (let chunk = range.start / CHUNK; chunk * CHUNK < range.end; chunk++) this.#map(chunk);
    this.#reserved.set(range, true);
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
    this.#reserved.clear(range);
    for (let chunk = range.start / CHUNK; chunk * CHUNK < range.end; chunk++) this.#unmap(chunk);
    await this.#allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range);
  }

  close(): void {
    for (const address of this.#chunks.values()) this.#libc.symbols.munmap(address, CHUNK);
    this.#chunks.clear();
    this.#libc.symbols.close(this.#fd);
  }

  async #allocate(mode: number, { start, end }: Range): Promise<void> {
    const { fallocate, fallocate_thread } = this.#libc.symbols;
    const length = end - start;
    const done = await fallocate_thread(this.#fd, mode, start, length);
    const again = () => fallocate(this.#fd, mode, start, length);
    this.#libc.checkThread(done, again, "fallocate", this.#path);
  }

  /** Calls `copy` for each part of the bytes that lies in one chunk. */
  #each(
    bytes: Uint8Array<ArrayBuffer>,
    offset: bigint,
    copy: (part: Uint8Array<ArrayBuffer>, address: bigint) => void,
  ): void {
    for (let done = 0; done < bytes.byteLength;) {
      const at = offset + BigInt(done);
      const inChunk = at % CHUNK;
      const length = Math.min(bytes.byteLength - done, CHUNK_BYTES - Number(inChunk));
      copy(bytes.subarray(done, done + length), this.#addressOf(at / CHUNK) + inChunk);
      done += length;
    }
  }

  #addressOf(chunk: bigint): bigint {
    const address = this.#chunks.get(chunk);
    if (address === undefined) throw new SystemError("EFAULT", "memcpy", this.#path);
    return address;
  }

  #map(chunk: bigint): void {
    if (this.#chunks.has(chunk)) return;
    const { mmap } = this.#libc.symbols;
    const address = this.#libc.check(
      mmap(0n, CHUNK, PROT_READ_WRITE, MAP_SHARED, this.#fd, chunk * CHUNK),
      "mmap",
      this.#path,
    );
    this.#chunks.set(chunk, address);
  }

  /** Unmaps a chunk in which no page is reserved any more. */
  #unmap(chunk: bigint): void {
    const address = this.#chunks.get(chunk);
    const range = { start: chunk * CHUNK, end: (chunk + 1n) * CHUNK };
    if (address === undefined || this.#reserved.lengthWithin(range) > 0n) return;
    this.#libc.symbols.munmap(address, CHUNK);
    this.#chunks.delete(chunk);
  }
}
