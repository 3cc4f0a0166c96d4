import { assert, assertEquals } from "@std/assert";
import { taskArgs } from "../support/command_line.ts";
import { Daemon } from "../support/daemon.ts";

const PAGE = 4096;

Deno.test("what a killed daemon left below an outside change is listed, exported, and written by force", async () => {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-" });
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => Deno.remove(folder, { recursive: true }));
  const file = `${folder}/root/f`;
  await Deno.mkdir(`${folder}/root`);
  await Deno.writeFile(file, new Uint8Array(2 * PAGE));
  const options = { folder, args: ["--root", `r=${folder}/root`] };
  const first = await Daemon.start(options);
  const request = { root: "r", path: "f", access: "rw", cache: "own", holder: "h" };
  const { id } = await first.json(201, "POST", "/v1/inodes", request);
  await (await first.fetch(`/v1/inodes/${id}/data`)).bytes();
  const written = await first.fetch(`/v1/inodes/${id}/ranges/${PAGE}-${PAGE + 2}`, {
    method: "PUT",
    body: "new",
    headers: { "content-type": "application/octet-stream" },
  });
  assertEquals(written.status, 204);
  await first.stop("SIGKILL");
  await Deno.writeTextFile(file, "from outside");
  await using daemon = await Daemon.start(options);
  const inodes = async (...args: string[]) => {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...taskArgs("innkeeper"), "inodes", ...args, "--socket", daemon.socketPath],
      cwd: new URL("../..", import.meta.url),
    }).output();
    return { status: code, out: new TextDecoder().decode(stdout) };
  };
  const listed = await inodes("kept");
  assertEquals(listed.status, 0);
  assert(listed.out.includes(id) && listed.out.includes("r/f"), listed.out);
  assertEquals((await inodes("export", id, `${folder}/saved`)).status, 0);
  const saved = await Deno.readTextFile(`${folder}/saved`);
  assertEquals([saved.length, saved.slice(PAGE)], [PAGE + 3, "new"]);
  assertEquals((await inodes("retry", id)).status, 9);
  assertEquals(await Deno.readTextFile(file), "from outside");
  assertEquals((await inodes("retry", id, "--force")).status, 0);
  assertEquals((await Deno.readTextFile(file)).slice(PAGE), "new");
  assertEquals((await inodes("discard", id)).status, 7);
});
