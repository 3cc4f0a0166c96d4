import { type Image, openImage } from "./inodes.ts";
import { hold, say, type Stage } from "./stage.ts";

/** Gives the inode of an image a virtual number, and resolves a device of the host. */
export async function showDevices(stage: Stage, image: Image): Promise<void> {
  say(
    "\n# The image's host inode gets a virtual number that stays; a device of this host is resolved.",
  );
  const device = await stage.request("POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  hold(device.status === 201, "an anonymous device is registered");
  const mappings = `/v1/devices/${device.body.id}/mappings`;
  const json = { keys: [{ device: image.device, inode: image.inode }] };
  const first = await stage.request("POST", mappings, { json });
  const again = await stage.request("POST", mappings, { json });
  hold(
    first.body.items[0].virtualInode === again.body.items[0].virtualInode,
    "the same host inode has the same virtual inode",
  );
  const resolved = await stage.request("POST", "/v1/devices/resolve", {
    json: { containerPath: "/dev/null", type: "c", major: 1, minor: 3 },
  });
  hold(resolved.body.hostPath === "/dev/null", "character device 1:3 is /dev/null in sysfs");
}

/** The part alone. */
export async function playDevices(stage: Stage): Promise<void> {
  await showDevices(stage, await openImage(stage));
}
