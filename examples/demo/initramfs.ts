import { concat } from "@std/bytes";

/** A file of an initial root file system. */
export interface InitramfsFile {
  /** Without a slash at its beginning. */
  readonly path: string;
  readonly content: Uint8Array | string;
  readonly executable?: boolean;
}

const REGULAR = 0o100000;
const FOLDER = 0o040000;
const ALIGNMENT = 4;
const TRAILER = "TRAILER!!!";

/**
 * Makes an initial root file system for Linux. It is a cpio archive in the form "newc" (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst) and has an entry for every folder on
 * the way to a file.
 */
export function initramfs(files: readonly InitramfsFile[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const folders = new Set<string>();
  let inode = 0;
  const add = (path: string, mode: number, content: Uint8Array): void => {
    inode++;
    const name = new TextEncoder().encode(`${path}\0`);
    const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    for (const part of [concat([new TextEncoder().encode(head), name]), content]) {
      parts.push(part, new Uint8Array(-part.length & (ALIGNMENT - 1)));
    }
  };
  for (const { path, content, executable = false } of files) {
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      const folder = names.slice(0, depth).join("/");
      if (!folders.has(folder)) add(folder, FOLDER | 0o755, new Uint8Array());
      folders.add(folder);
    }
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    add(path, REGULAR | (executable ? 0o755 : 0o644), bytes);
  }
  add(TRAILER, 0, new Uint8Array());
  return concat(parts);
}
