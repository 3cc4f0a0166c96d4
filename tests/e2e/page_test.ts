import { assert, assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { Daemon } from "../support/daemon.ts";
import { bumpAndProbe } from "../support/page_order.ts";
import { PageProbe } from "../support/page_probe.ts";
import { testWhere } from "../support/skip.ts";
import { churnScopes } from "../support/scope_churn.ts";
import { VmclockProbe } from "../support/vmclock_probe.ts";

const SCOPE = "/v1/scopes/vm-7";
const BUMP = { reason: "restore" };

testWhere(
  "a program that maps the page as AWS-LC does sees every bump, over a stop, a start and a kill -9 (case 19)",
  PageProbe.missing(),
  async () => {
    const program = await PageProbe.compile();
    const first = await Daemon.start();
    await first.json(201, "PUT", SCOPE, {});
    const page = `${first.pageFolder}/vm-7/sysgenid`;
    await using probe = PageProbe.start(program, page);
    const inode = (await Deno.stat(page)).ino;
    const bump = async (daemon: Daemon): Promise<void> => {
      const { generation } = await daemon.json(201, "POST", `${SCOPE}/bumps`, BUMP);
      assertEquals(await probe.read(), generation);
    };
    assertEquals(await probe.read(), 0);
    await bump(first);
    await bump(first);
    assertEquals(await first.stop("SIGTERM"), 0);
    assertEquals(await probe.read(), 2);
    const second = await Daemon.start({ folder: first.folder });
    assertEquals(await probe.read(), 2);
    await bump(second);
    await second.stop("SIGKILL");
    await using third = await Daemon.start({ folder: first.folder });
    assertEquals(await probe.read(), 3);
    await bump(third);
    assertEquals((await Deno.stat(page)).ino, inode);
  },
);

testWhere(
  "another program finds the page ahead of every reply, push and barrier (case 18)",
  PageProbe.missing(),
  () => bumpAndProbe(500),
);

testWhere(
  "a program that only maps the page blocks no barrier (case 29)",
  PageProbe.missing(),
  async () => {
    const program = await PageProbe.compile();
    await using daemon = await Daemon.start();
    await daemon.json(201, "PUT", SCOPE, {});
    await using probe = PageProbe.start(program, `${daemon.pageFolder}/vm-7/sysgenid`);
    await daemon.json(201, "POST", `${SCOPE}/bumps`, BUMP);
    await daemon.json(204, "GET", `${SCOPE}/barrier`);
    assertEquals(await probe.read(), 1);
  },
);

Deno.test("a page that its reader moves back is mended within a second, and an event says so", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", SCOPE, {});
  for (let n = 0; n < 3; n++) await daemon.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const path = `${daemon.pageFolder}/vm-7/sysgenid`;
  const shown = (): number => new Uint32Array(Deno.readFileSync(path).buffer)[0] as number;
  const inode = Deno.statSync(path).ino;
  const mended = async (): Promise<unknown[]> => {
    const headers = { accept: "application/json" };
    const { items } = await (await daemon.fetch("/v1/events?limit=1000", { headers })).json();
    return items.filter(({ kind }: { kind: string }) => kind === "page.mended");
  };
  // The driver's ordinary write of an ack, which is 4 bytes at 0.
  {
    using file = Deno.openSync(path, { write: true });
    file.writeSync(new Uint8Array(Uint32Array.of(1).buffer));
  }
  await retry(() => assertEquals(shown(), 3), { minTimeout: 20, maxTimeout: 50, maxAttempts: 20 });
  assertEquals((await mended()).length, 1);
  // A shell's redirection cuts the file short before it writes.
  Deno.writeFileSync(path, new Uint8Array([9, 0, 0, 0]));
  await daemon.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  assertEquals([shown(), Deno.statSync(path).size, Deno.statSync(path).ino], [4, 4096, inode]);
  assertEquals((await mended()).length, 2);
});

testWhere(
  "a program that reads the vmclock page without a pause finds no odd sequence while scopes are bumped",
  PageProbe.missing(),
  async () => {
    await using daemon = await Daemon.start();
    await daemon.json(201, "PUT", SCOPE, {});
    const probe = await VmclockProbe.start(`${daemon.pageFolder}/vm-7/vmclock`);
    for (let n = 0; n < 200; n++) await daemon.json(201, "POST", `${SCOPE}/bumps`, BUMP);
    const { looks, ...seen } = await probe.end();
    assertEquals(seen, { odd: 0, gaveUp: 0, wentBack: 0, generation: 200 });
    assert(looks > 200, `${looks}`);
  },
);

testWhere(
  "scopes that come and go leave no file, descriptor or row, and a page that is mapped stays",
  PageProbe.missing(),
  async () => void await churnScopes(200),
);
