import { surroundings } from "./surroundings.ts";
import { initramfs, type InitramfsFile } from "./initramfs.ts";

/** What `.ci/linux-guest` has fetched: a kernel of Debian's and what its root is made of. */
export interface DebianGuest {
  readonly folder: string;
  /** A name below the folder. */
  readonly kernel: string;
}

/** First program of the guest: mounts, modules, then a shell on the console. */
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

/** The folder of {@linkcode DebianGuest}, whether it is there or not. */
export function debianGuestFolder(): string {
  const cache = surroundings.env("XDG_CACHE_HOME") ?? `${surroundings.env("HOME") ?? ""}/.cache`;
  return surroundings.env("INNKEEPER_LINUX_GUEST") ?? `${cache}/innkeeper/linux-guest`;
}

/** What was fetched, `undefined` where nothing was. */
export function debianGuest(): DebianGuest | undefined {
  const folder = debianGuestFolder();
  try {
    Deno.statSync(`${folder}/ready`);
    return { folder, kernel: "vmlinuz" };
  } catch {
    return undefined;
  }
}

/** An initial root with busybox, the modules for disks and 9p, and these files. */
export function debianInitrd(
  { folder }: DebianGuest,
  files: readonly InitramfsFile[],
): Uint8Array<ArrayBuffer> {
  const read = (name: string): Uint8Array => Deno.readFileSync(`${folder}/${name}`);
  const order = new TextDecoder().decode(read("modules/order"));
  return initramfs([
    { path: "init", content: INIT, executable: true },
    { path: "bin/busybox", content: read("busybox"), executable: true },
    { path: "modules/order", content: order },
    ...order.trim().split("\n").map((name) => ({
      path: `modules/${name}`,
      content: read(`modules/${name}`),
    })),
    { path: "dev/.keep", content: "" },
    ...files,
  ]);
}
