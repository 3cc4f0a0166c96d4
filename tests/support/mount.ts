import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import type { Ledger } from "../../src/core/ports/ledger.ts";
import { Scopes } from "../../src/generations/scopes.ts";
import type { Guests } from "../../src/guests/guests.ts";
import type { UserGrant } from "../../src/access/grants.ts";
import type { Mount } from "../../src/mount/mount.ts";
import { CopiedPages } from "../../src/mount/copied_pages.ts";
import { openMount } from "../../src/mount/open_mount.ts";
import { OwnPageFiles } from "../../src/native/own_page_files.ts";
import { Libc } from "../../src/native/libc.ts";
import { PageFiles } from "../../src/storage/page_files.ts";
import { Daemon } from "./daemon.ts";
import { CollectedEvents } from "./events.ts";
import { freePort } from "./port.ts";
import { MemoryLedger } from "./ledger.ts";
import { missingProgram } from "./skip.ts";
import { TestDaemon } from "./stub_guests.ts";

/** Pages are on tmpfs, as in a run folder: a stacked file system cannot back a map. */
const TMPFS = "/dev/shm";

/** Why nothing can be mounted here, `undefined` when it can. */
export function missingMount(): string | undefined {
  if (Deno.uid() !== 0) return "mounting wants root";
  try {
    Deno.openSync("/dev/fuse", { read: true, write: true }).close();
  } catch (error) {
    return `/dev/fuse cannot be opened: ${(error as Error).message}`;
  }
  return missingProgram("cc");
}

/** Scopes mounted by this process, which must not touch the folder itself: it would wait for itself. */
export class MountBench implements AsyncDisposable {
  private constructor(
    readonly scopes: Scopes,
    readonly guests: Guests,
    readonly mount: Mount,
    readonly folder: string,
    readonly run: string,
    readonly libc: Libc,
    /** Unmounts. */
    readonly stop: () => Promise<void>,
    readonly close: () => Promise<void>,
  ) {}

  static async open(
    { grants = [], ledger = new MemoryLedger(), run = Deno.makeTempDirSync({ dir: TMPFS }) }: {
      readonly grants?: readonly UserGrant[];
      readonly ledger?: Ledger;
      readonly run?: string;
    } = {},
  ): Promise<MountBench> {
    const libc = Libc.open();
    for (const folder of ["pages", "own"]) Deno.mkdirSync(`${run}/${folder}`, { recursive: true });
    const ports = { ledger, events: new CollectedEvents(), clock: systemClock };
    const published = new PageFiles(libc, `${run}/pages`, "all");
    const copiedPages = new CopiedPages(published, new OwnPageFiles(libc, `${run}/own`));
    const scopes = await Scopes.open({ ...ports, random: systemRandom, pages: copiedPages });
    const folder = Deno.makeTempDirSync({ dir: "/tmp", prefix: "innkeeper-mount-" });
    Deno.chmodSync(folder, 0o755);
    const { guests } = await TestDaemon.open();
    const parts = { ...ports, scopes, guests, copiedPages };
    const opened = await openMount(libc, { folder, grants, pages: `${run}/pages` }, parts);
    let isStopped = false;
    const stop = async (): Promise<void> => {
      if (isStopped) return;
      isStopped = true;
      await opened.close();
    };
    const close = async (): Promise<void> => {
      await stop();
      await scopes.close();
      copiedPages.close();
      Deno.removeSync(folder);
      libc[Symbol.dispose]();
    };
    return new MountBench(scopes, guests, opened.mount, folder, run, libc, stop, close);
  }

  /** Path of a file of a scope. */
  path(scope: string, file: string): string {
    return `${this.folder}/scopes/${scope}/${file}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    Deno.removeSync(this.run, { recursive: true });
  }
}

/** Why no 32-bit program can be tested here, `undefined` when one can. */
export function missing32Bit(): string | undefined {
  const missing = missingMount();
  if (missing !== undefined) return missing;
  const source = new URL("../mount/programs/watcher.c", import.meta.url).pathname;
  const args = ["-m32", "-o", "/dev/null", source];
  const { success } = new Deno.Command("cc", { args, stderr: "null" }).outputSync();
  return success ? undefined : "no C library for 32 bits (gcc-multilib)";
}

/** Compiles a program of tests/mount/programs. @returns Its path, in a folder that all may read */
export function compile(name: string, ...flags: string[]): string {
  const folder = Deno.makeTempDirSync();
  Deno.chmodSync(folder, 0o755);
  const source = new URL(`../mount/programs/${name}.c`, import.meta.url).pathname;
  const args = [
    ...flags,
    "-O1",
    "-Wall",
    "-Werror",
    "-o",
    `${folder}/${name}`,
    source,
    "-lpthread",
  ];
  const { code, stderr } = new Deno.Command("cc", { args }).outputSync();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return `${folder}/${name}`;
}

/** Runs a program to its end. */
export async function run(
  path: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const command = new Deno.Command(path, { args: [...args], ...options });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, lines: text.trimEnd().split("\n") };
}

/** A program that runs beside the test and says things line by line. */
export class Program implements Disposable {
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static start(path: string, args: readonly string[], options: Deno.CommandOptions = {}): Program {
    const command = new Deno.Command(path, { args: [...args], stdout: "piped", ...options });
    return new Program(command.spawn());
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The next line; `undefined` when it has ended. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await deadline(this.#reader.read(), 10_000);
      if (done) return undefined;
      this.#text += value;
    }
  }

  async linesUntil(last: string): Promise<string[]> {
    const lines: string[] = [];
    for (let line = await this.line(); line !== last; line = await this.line()) {
      if (line === undefined) throw new Error(`it ended after ${lines.join(", ")}`);
      lines.push(line);
    }
    return lines;
  }

  /** Kills it and waits until it is gone. */
  async end(): Promise<void> {
    this[Symbol.dispose]();
    await this.#child.status;
  }

  [Symbol.dispose](): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    this.#reader.cancel().catch(() => {});
  }
}

function must(command: string, ...args: string[]): void {
  const { code, stderr } = new Deno.Command(command, { args, stdout: "null" }).outputSync();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

/** A folder to mount on, and one on tmpfs for a daemon; whatever is mounted is taken away. */
export class MountedPlace implements Disposable {
  readonly folder = Deno.makeTempDirSync({ dir: "/tmp", prefix: "innkeeper-" });
  readonly mount = Deno.makeTempDirSync({ dir: "/tmp", prefix: "innkeeper-mount-" });
  readonly port = freePort();
  readonly sysgenid = `${this.mount}/scopes/s/sysgenid`;

  constructor() {
    // Deno lets no program with narrow permissions use /dev/shm.
    must("mount", "-t", "tmpfs", "none", this.folder);
  }

  start(...args: string[]): Promise<Daemon> {
    return Daemon.start({
      folder: this.folder,
      port: this.port,
      args: ["--mount", this.mount, ...args],
    });
  }

  [Symbol.dispose](): void {
    new Deno.Command("umount", { args: ["-l", this.mount], stderr: "null" }).outputSync();
    must("umount", "-l", this.folder);
    Deno.removeSync(this.mount);
    Deno.removeSync(this.folder);
  }
}

/** The process of the daemon that the launcher runs now. */
export function daemonPid({ child }: Daemon): number {
  const { stdout } = new Deno.Command("pgrep", { args: ["-P", String(child.pid)] }).outputSync();
  return Number(new TextDecoder().decode(stdout));
}
