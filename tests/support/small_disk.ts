/** A file system of its own with so little room that a test can fill it. */
export class SmallDisk implements Disposable {
  private constructor(readonly folder: string) {}

  /**
   * Mounts one.
   *
   * @throws {Error} when this process may not mount
   */
  static mount(bytes: number): SmallDisk {
    const folder = Deno.makeTempDirSync({ prefix: "innkeeper-disk-" });
    const args = ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder];
    const { success, stderr } = new Deno.Command("mount", { args }).outputSync();
    if (success) return new SmallDisk(folder);
    Deno.removeSync(folder);
    throw new Error(new TextDecoder().decode(stderr).trim());
  }

  /** Why none can be had here, `undefined` when one can. */
  static missing(): string | undefined {
    try {
      SmallDisk.mount(65_536)[Symbol.dispose]();
      return undefined;
    } catch (error) {
      return `cannot mount a tmpfs: ${(error as Error).message}`;
    }
  }

  /** Takes all room that is left. {@linkcode clear} gives it back. */
  fill(): void {
    using ballast = Deno.createSync(this.#ballast);
    const page = new Uint8Array(4096);
    try {
      for (;;) ballast.writeSync(page);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") throw error;
    }
  }

  clear(): void {
    Deno.removeSync(this.#ballast);
  }

  get #ballast(): string {
    return `${this.folder}/ballast`;
  }

  [Symbol.dispose](): void {
    const { success, stderr } = new Deno.Command("umount", { args: [this.folder] }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    Deno.removeSync(this.folder);
  }
}
