import { assertEquals } from "@std/assert";
import { driverOf } from "../../../src/devices/resolve/device_info.ts";
import type { DeviceFileType } from "../../../src/devices/resolve/device_kinds.ts";

Deno.test("driverOf() goes by the path for VFIO, then by the kind of file and the major", () => {
  for (
    const [type, major, path, driver] of [
      ["c", 10n, "/dev/vfio/16", "vfio"],
      ["c", 10n, "/dev/vfio/noiommu-0", "vfio"],
      ["c", 10n, "/dev/vfio/vfio", "generic"],
      ["c", 10n, "/dev/vfio/vfio2", "generic"],
      ["c", 10n, "/dev/vfio/", "generic"],
      ["c", 10n, "/x/dev/vfio/16", "generic"],
      ["c", 1n, "/dev/null", "generic"],
      ["u", 241n, "/dev/x", "generic"],
      ["p", 241n, "/dev/x", "generic"],
      ["b", 8n, "/dev/sda", "block"],
      ["b", 241n, "/store/block/sockets/a", "vhost-user-blk-pci"],
      ["b", 242n, "/store/block/sockets/a", "vhost-user-scsi-pci"],
    ] as const
  ) {
    const info = { containerPath: "/c", type: type as DeviceFileType, major, minor: 0n };
    assertEquals(driverOf(info, path).driver, driver, `${type} ${major} ${path}`);
  }
});
