import { assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { bumpAndProbe } from "../support/page_order.ts";
import { PageProbe } from "../support/page_probe.ts";
import { testWhere } from "../support/skip.ts";

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
