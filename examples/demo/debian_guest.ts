import type { GuestConsole } from "../../src/client/mod.ts";
import { environment } from "../../src/cli/environment.ts";
import { initramfs, type InitramfsFile } from "./initramfs.ts";

/** The first program of the guest: it mounts, loads modules and starts a shell on the console. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /tmp /mnt /run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
for start in /etc/start.d/*; do [ -x "$start" ] && "$start" </dev/null >/dev/null 2>&1 & done
echo "init: ready"
exec setsid cttyhack sh
`;

/**
 * The folder with what `.ci/linux-guest` has fetched, a kernel of Debian (`vmlinuz`) and the parts
 * of a root; `undefined` where nothing was fetched.
 */
export function debianGuest(): string | undefined {
  const { env } = environment;
  const cache = env("XDG_CACHE_HOME") ?? `${env("HOME") ?? ""}/.cache`;
  const folder = env("INNKEEPER_LINUX_GUEST") ?? `${cache}/innkeeper/linux-guest`;
  try {
    Deno.statSync(`${folder}/ready`);
    return folder;
  } catch {
    return undefined;
  }
}

/** A command line that leaves out what makes a boot long. */
export const QUICK = "console=ttyS0 quiet mitigations=off lpj=4000000 tsc=reliable nokaslr " +
  "cryptomgr.notests";
/** The prompt of its shell. */
export const PROMPT = "/ # ";
/** How long a boot may take on a busy machine, in milliseconds. */
export const BOOT_MS = 240_000;
const ANSWER_MS = 60_000;

/**
 * Runs a command in the guest's shell and returns its output. Markers tell the output from the echo
 * of the command.
 */
export async function shell(console: GuestConsole, command: string): Promise<string> {
  console.send(`echo "<""<"; ${command}; echo ">"">"\n`);
  await console.until("<<\r\n", ANSWER_MS);
  return (await console.until(">>\r\n", ANSWER_MS)).replaceAll("\r\n", "\n").trimEnd();
}

const RESEED = new URL("../../src/agent/", import.meta.url);

/**
 * The files of the reseeder for an initial root. It starts with the guest.
 *
 * @param page The program `innkeeper-page`, built for the guest
 */
export function reseedFiles(page: Uint8Array): InitramfsFile[] {
  const read = (name: string): Uint8Array => Deno.readFileSync(new URL(name, RESEED));
  const hook = "10-kernel-random";
  return [
    program("bin/innkeeper-page", page),
    program("bin/innkeeper-reseed", read("innkeeper-reseed")),
    program(`etc/innkeeper/reseed.d/${hook}`, read(`hooks/${hook}`)),
    program("etc/start.d/reseed", "#!/bin/sh\nexec innkeeper-reseed\n"),
  ];
}

function program(path: string, content: Uint8Array | string): InitramfsFile {
  return { path, content, executable: true };
}

/** Builds `innkeeper-page`; `undefined` where there is no compiler that can. */
export async function buildPageProgram(): Promise<Uint8Array | undefined> {
  const out = await Deno.makeTempFile({ prefix: "innkeeper-page-" });
  try {
    const source = new URL("innkeeper-page.c", RESEED).pathname;
    const flags = ["-m32", "-static", "-nostdlib", "-ffreestanding", "-fno-pic"];
    const { success } = await new Deno.Command("cc", {
      args: [...flags, "-fno-stack-protector", "-Os", "-o", out, source],
      stderr: "null",
    }).output();
    return success ? await Deno.readFile(out) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    await Deno.remove(out);
  }
}

/** Makes an initial root with busybox, the modules for disks and 9p, and these files. */
export function debianInitrd(
  folder: string,
  files: readonly InitramfsFile[],
): Uint8Array<ArrayBuffer> {
  const read = (name: string): Uint8Array => Deno.readFileSync(`${folder}/${name}`);
  const order = new TextDecoder().decode(read("modules/order"));
  return initramfs([
    program("init", INIT),
    program("bin/busybox", read("busybox")),
    { path: "modules/order", content: order },
    ...order.trim().split("\n").map((name) => ({
      path: `modules/${name}`,
      content: read(`modules/${name}`),
    })),
    { path: "dev/.keep", content: "" },
    ...files,
  ]);
}
