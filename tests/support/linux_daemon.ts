import {
  BOOT_MS,
  buildPageProgram,
  PROMPT,
  QUICK,
  reseedFiles,
} from "../../examples/demo/debian_guest.ts";
import { Daemon } from "./daemon.ts";
import { ConsoleClient, writeLinuxImages } from "./linux_guest.ts";

/** A daemon with a kernel to boot, for load and soak programs. */
export class LinuxDaemon implements AsyncDisposable {
  private constructor(
    readonly daemon: Daemon,
    readonly images: string,
    readonly kernel: string,
    readonly initrd: string,
  ) {}

  static async open(): Promise<LinuxDaemon> {
    const images = await Deno.makeTempDir({ prefix: "innkeeper-linux-" });
    const page = await buildPageProgram();
    await writeLinuxImages(images, page === undefined ? [] : reseedFiles(page), "bzImage");
    const daemon = await Daemon.start({ args: ["--root", `images=${images}`] });
    const inode = async (path: string): Promise<string> => {
      const json = { root: "images", path, access: "ro", cache: "own", holder: "house" };
      return (await daemon.json(201, "POST", "/v1/inodes", json)).id;
    };
    return new LinuxDaemon(daemon, images, await inode("kernel"), await inode("initrd"));
  }

  /** Makes a guest of 128 MiB and runs it; its owner's headers. */
  async boot(name: string): Promise<Record<string, string>> {
    const { kernel, initrd } = this;
    const linux = { memoryMiB: 128, kernel, initrd, commandLine: QUICK };
    const { ownerToken } = await this.daemon.json(201, "POST", "/v1/guests", { name, linux });
    return await this.start(name, ownerToken);
  }

  /** Makes a clone and runs it; its owner's headers. */
  async clone(name: string, snapshot: string): Promise<Record<string, string>> {
    const { ownerToken } = await this.daemon.json(201, "POST", "/v1/guests", { name, snapshot });
    return await this.start(name, ownerToken);
  }

  async start(name: string, ownerToken: string): Promise<Record<string, string>> {
    const owner = { "innkeeper-owner": ownerToken, "content-type": "application/json" };
    await this.request("PUT", `/v1/guests/${name}/state`, owner, { state: "running" });
    return owner;
  }

  /** Boots a guest to its prompt and snapshots it; the snapshot's id. */
  async snapshot(name: string): Promise<string> {
    const owner = await this.boot(name);
    await this.prompt(name);
    await this.request("PUT", `/v1/guests/${name}/state`, owner, { state: "paused" });
    return (await this.request("POST", `/v1/guests/${name}/snapshots`, owner)).id;
  }

  /** Waits for a guest's first prompt. */
  async prompt(name: string): Promise<void> {
    const console = await ConsoleClient.open(this.daemon, name);
    await console.until(PROMPT, BOOT_MS);
    await console.close();
  }

  async request(
    method: string,
    path: string,
    headers: Record<string, string>,
    json?: unknown,
    // deno-lint-ignore no-explicit-any -- programs read members as they come
  ): Promise<any> {
    const response = await this.daemon.fetch(path, {
      method,
      headers,
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return response.status === 204 ? undefined : await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await Deno.remove(this.daemon.folder, { recursive: true });
    await Deno.remove(this.images, { recursive: true });
  }
}
