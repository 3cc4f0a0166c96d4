import {
  BOOT_MS,
  debianGuest,
  debianInitrd,
  PROMPT,
  shell,
} from "../../examples/demo/debian_guest.ts";
import { GuestConsole } from "../../src/client/guest_console.ts";
import type { InitramfsFile } from "../../examples/demo/initramfs.ts";
import type { Daemon } from "./daemon.ts";

/** Why no Linux guest can be booted here, `undefined` when one can. */
export function missingLinux(): string | undefined {
  return debianGuest() === undefined ? "no kernel: .ci/linux-guest fetches one" : undefined;
}

/**
 * Puts a kernel and an initial root into a folder, to be a daemon's root.
 *
 * @param form The kernel's; a bzImage also where no ELF file could be unpacked
 */
export async function writeLinuxImages(
  folder: string,
  files: readonly InitramfsFile[],
  form: "bzImage" | "elf",
): Promise<void> {
  const debian = debianGuest();
  if (debian === undefined) throw new Error("there is no kernel");
  const unpacked = `${debian}/vmlinux`;
  const packed = `${debian}/vmlinuz`;
  const isElf = form === "elf" && await exists(unpacked);
  await Deno.copyFile(isElf ? unpacked : packed, `${folder}/kernel`);
  await Deno.writeFile(`${folder}/initrd`, debianInitrd(debian, files));
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The other end of a guest's console. */
export class ConsoleClient extends GuestConsole {
  static async open({ url, token }: Daemon, guest: string, since = 0): Promise<ConsoleClient> {
    const socket = new WebSocket(
      `${url.replace("http", "ws")}/v1/guests/${guest}/console?since=${since}`,
      { protocols: ["innkeeper.console.v1"], headers: { authorization: `Bearer ${token}` } },
    );
    return await new ConsoleClient(socket).opened();
  }

  /** Opens a console for what comes from now on. */
  static async fromNow(daemon: Daemon, guest: string): Promise<ConsoleClient> {
    const tail = await daemon.fetch(`/v1/guests/${guest}/console`);
    await tail.body?.cancel();
    return await this.open(daemon, guest, Number(tail.headers.get("innkeeper-console-end")));
  }

  /** Waits for the first prompt after a boot. */
  async prompt(): Promise<void> {
    await this.until(PROMPT, BOOT_MS);
  }

  /** Gives the shell a command and returns its output. */
  shell(command: string): Promise<string> {
    return shell(this, command);
  }
}
