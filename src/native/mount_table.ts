import { MNT_DETACH, MNT_FORCE, O_DIRECTORY, O_PATH } from "./constants.ts";
import { openPath } from "./descriptor.ts";
import { cString, type Libc } from "./libc.ts";
import { readText } from "./proc_text.ts";
import { readLinkAt } from "./read_link.ts";

/** What is mounted on a folder. */
interface Mounted {
  /** Number of the file system's device, as statx(2) has it in two halves of 32 bits. */
  readonly device: bigint;
  /** Type of the file system. */
  readonly type: string;
}

const decoder = new TextDecoder();

/** The path of a folder without links. @throws {SystemError} */
export function realFolder(libc: Libc, folder: string): string {
  // Nobody who serves a file system there is asked.
  using node = openPath(libc, folder, O_PATH | O_DIRECTORY);
  using links = openPath(libc, "/proc/self/fd", O_PATH | O_DIRECTORY);
  return decoder.decode(readLinkAt(links, String(node.number), folder));
}

/** What is mounted last on exactly this folder. @param folder Without links */
export function mountedOn(libc: Libc, folder: string): Mounted | undefined {
  const lines = readText(libc, "/proc/self/mountinfo")?.split("\n") ?? [];
  // The id, its parent's, the device, the root in it, the folder; after a dash the type.
  const found = lines.map((line) => line.split(" ")).filter((fields) => fields[4] === coded(folder))
    .at(-1);
  if (found === undefined) return undefined;
  const [major = "", minor = ""] = (found[2] ?? "").split(":");
  const type = found[found.indexOf("-") + 1] ?? "";
  return { device: BigInt(major) << 32n | BigInt(minor), type };
}

/**
 * Takes the last mount on a folder out of the tree, alive or dead, if it is of this device.
 * Whatever else others have mounted there stays.
 */
export function detachMount(libc: Libc, folder: string, device: bigint): void {
  if (mountedOn(libc, folder)?.device !== device) return;
  libc.symbols.umount2(cString(folder), MNT_FORCE | MNT_DETACH);
}

/** A path as /proc/self/mountinfo writes it. */
function coded(path: string): string {
  return path.replace(
    /[ \t\n\\]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}
