import { assert, assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { SystemError } from "../../src/core/system_error.ts";
import { HOST_SOURCE_LOOK_MS, HOST_SOURCE_RETRY_MS } from "../../src/core/limits.ts";
import { HostMirror } from "../../src/daemon/host_mirror.ts";
import { sysgenidSource, vmclockSource } from "../../src/generations/host_source.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import { vmclockBytes } from "../../src/generations/vmclock_page.ts";
import { FakeHostDevice } from "../support/host_device.ts";
import { ScopesBench } from "../support/scopes.ts";

/** A mirror of these devices, closed at the end. */
async function mirrored(
  bench: ScopesBench,
  device: FakeHostDevice,
  use: (scope: LiveScope) => Promise<void>,
): Promise<void> {
  const scope = (await bench.open()).get("system");
  const mirror = await HostMirror.open({ ...bench, scope, sources: [sysgenidSource(device)] });
  await use(scope);
  await mirror.close();
  assertEquals(device.isClosed, true);
  await scope.close();
}

const until = (check: () => void) =>
  retry(check, { minTimeout: 1, maxTimeout: 5, maxAttempts: 400 });

Deno.test("HostMirror bumps once for each change, and confirms it to the device", async () => {
  const bench = new ScopesBench();
  const device = new FakeHostDevice(sysgenidBytes(7));
  await mirrored(bench, device, async (scope) => {
    assertEquals(scope.state.epoch, 0n);
    device.show(sysgenidBytes(8));
    await until(() => assertEquals(scope.state.epoch, 1n));
    assertEquals(scope.state.current.reason, "/dev/fake shows generation 8");
    assertEquals(scope.state.current.by, "host");
    await until(() => assertEquals(device.written.at(-1), sysgenidBytes(8)));
    device.show(sysgenidBytes(3));
    await until(() => assertEquals(scope.state.epoch, 2n));
  });
});

Deno.test("HostMirror bumps although its scope asks for a quiesce: the host was restored already", async () => {
  const bench = new ScopesBench();
  const device = new FakeHostDevice(sysgenidBytes(1));
  await mirrored(bench, device, async (scope) => {
    await scope.configure({ ...scope.state.options, requireQuiesce: true });
    device.show(sysgenidBytes(2));
    await until(() => assertEquals(scope.state.epoch, 1n));
  });
});

Deno.test("HostMirror.open() bumps for what changed while no daemon ran, and for nothing else", async () => {
  const bench = new ScopesBench();
  await mirrored(bench, new FakeHostDevice(sysgenidBytes(7)), () => Promise.resolve());
  await mirrored(bench, new FakeHostDevice(sysgenidBytes(7)), (scope) => {
    assertEquals(scope.state.epoch, 0n);
    return Promise.resolve();
  });
  await mirrored(bench, new FakeHostDevice(sysgenidBytes(9)), (scope) => {
    assertEquals(scope.state.epoch, 1n);
    return Promise.resolve();
  });
});

Deno.test("HostMirror takes the first number of a driver that showed none for a change", async () => {
  const device = new FakeHostDevice(undefined);
  await mirrored(new ScopesBench(), device, async (scope) => {
    device.show(sysgenidBytes(1));
    await until(() => assertEquals(scope.state.epoch, 1n));
  });
});

Deno.test("HostMirror rests between looks at what does not tell of news", async () => {
  const bench = new ScopesBench();
  const device = new FakeHostDevice(sysgenidBytes(1), { polls: false });
  await mirrored(bench, device, async (scope) => {
    await until(() => assertEquals(bench.clock.pending, 1));
    const { reads } = device;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(device.reads, reads);
    device.show(sysgenidBytes(2));
    bench.clock.advance(HOST_SOURCE_LOOK_MS);
    await until(() => assertEquals(scope.state.epoch, 1n));
    // Without clock to move on it would hang here if it spun.
    await until(() => assert(bench.clock.pending > 0));
  });
});

Deno.test("HostMirror says once that a source cannot be read, and goes on when it can", async () => {
  const bench = new ScopesBench();
  const device = new FakeHostDevice(sysgenidBytes(1));
  await mirrored(bench, device, async (scope) => {
    const failures = () => bench.events.kinds.filter((kind) => kind === "host-source.failed");
    device.failing = new SystemError("EIO", "read", device.path);
    device.show(sysgenidBytes(2));
    for (let tries = 0; tries < 3; tries++) {
      await until(() => assertEquals(bench.clock.pending, 1));
      bench.clock.advance(HOST_SOURCE_RETRY_MS);
    }
    assertEquals(failures().length, 1);
    device.failing = undefined;
    await until(() => {
      bench.clock.advance(HOST_SOURCE_RETRY_MS);
      assertEquals(scope.state.epoch, 1n);
    });
  });
});

Deno.test("HostMirror does not take a change for mirrored whose bump failed", async () => {
  const bench = new ScopesBench();
  const device = new FakeHostDevice(sysgenidBytes(1));
  await mirrored(bench, device, async (scope) => {
    bench.ledger.failing = new Error("disk full");
    device.show(sysgenidBytes(2));
    await until(() => assertEquals(bench.clock.pending, 1));
    assertEquals(scope.state.epoch, 0n);
    bench.ledger.failing = undefined;
    device.show(sysgenidBytes(2));
    bench.clock.advance(HOST_SOURCE_RETRY_MS);
    await until(() => assertEquals(scope.state.epoch, 1n));
  });
});

Deno.test("vmclockSource().read() waits for a clock at rest, and refuses what is none", async () => {
  const { clock } = new ScopesBench();
  const at = (epoch: bigint, sequence: number): Uint8Array<ArrayBuffer> => {
    const bytes = vmclockBytes(epoch);
    new DataView(bytes.buffer).setUint32(0x0c, sequence, true);
    return bytes;
  };
  const device = new FakeHostDevice(at(5n, 3));
  const source = vmclockSource(device, clock);
  const reading = source.read();
  await until(() => assertEquals(clock.pending, 1));
  device.show(at(6n, 4));
  clock.advance(1);
  assertEquals(await reading, 6n);

  device.show(at(7n, 5));
  const never = source.read().catch((error: SystemError) => error.errno);
  for (let ms = 0; ms < 200; ms++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    clock.advance(1);
  }
  assertEquals(await never, "ETIMEDOUT");

  const silent = at(1n, 2);
  new DataView(silent.buffer).setBigUint64(0x18, 0n, true);
  assertEquals(await vmclockSource(new FakeHostDevice(silent), clock).read(), undefined);
  const other = at(1n, 2);
  new DataView(other.buffer).setUint16(0x08, 2, true);
  for (const bytes of [new Uint8Array(0x70), at(1n, 2).slice(0, 0x6f), other]) {
    const refused = await vmclockSource(new FakeHostDevice(bytes), clock).read()
      .catch((error: SystemError) => error.errno);
    assertEquals(refused, "EIO");
  }
});

Deno.test("sysgenidSource().read() refuses a file that is too short", async () => {
  const refused = await sysgenidSource(new FakeHostDevice(new Uint8Array(3))).read()
    .catch((error: SystemError) => error.errno);
  assertEquals(refused, "EIO");
});
