import { assertEquals } from "@std/assert";
import { BLOCK_INDEX_MAX, HYPERVISOR_ID_CHARS_MAX } from "../../../src/core/limits.ts";
import {
  hypervisorId,
  scsiAddress,
  virtioDiskName,
  virtPath,
} from "../../../src/devices/host/guest_names.ts";

Deno.test("virtioDiskName() counts as letters do, and gives no name twice", () => {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const names = [
    ...letters,
    ...[...letters].flatMap((first) => [...letters].map((second) => first + second)),
  ];
  assertEquals(names.map((_, index) => virtioDiskName(index)), names.map((name) => `vd${name}`));
  const all = Array.from({ length: BLOCK_INDEX_MAX + 1 }, (_, index) => virtioDiskName(index));
  assertEquals(new Set(all).size, all.length);
});

Deno.test("scsiAddress() stays within 256 targets of 256 units for every index", () => {
  assertEquals(["0:0", "0:255", "1:0"], [0, 255, 256].map(scsiAddress));
  assertEquals(scsiAddress(BLOCK_INDEX_MAX), "255:254");
});

Deno.test("virtPath() leaves the first name to the root disk of a virtio-mmio guest", () => {
  assertEquals(virtPath("virtio-blk", 0), "/dev/vda");
  assertEquals(virtPath("virtio-mmio", 0), "/dev/vdb");
  assertEquals(virtPath("nvdimm", 0), undefined);
  assertEquals(virtPath("virtio-scsi", 0), undefined);
});

Deno.test("hypervisorId() is never longer than QEMU's block layer allows", () => {
  assertEquals(hypervisorId("vfio", "0123456789abcdef", "12"), "vfio-0123456789abcdef12");
  assertEquals(hypervisorId("drive", "x".repeat(40)).length, HYPERVISOR_ID_CHARS_MAX);
});
