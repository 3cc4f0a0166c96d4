import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { Daemon } from "../support/daemon.ts";

Deno.test("a reader of standard error that stands still holds nothing up", async () => {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-" });
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => Deno.remove(folder, { recursive: true }));
  // Nobody reads the pipe of its log. Each of these paths has a line of its own kind: a 401.
  const child = Daemon.command(folder).spawn();
  cleanUp.defer(async () => {
    child.kill("SIGKILL");
    await child.status;
    await child.stderr.cancel();
  });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  await reader.cancel();
  const url = JSON.parse(value).listen.find((one: string) => one.startsWith("http"));
  const refuse = async (path: string): Promise<number> => {
    const response = await fetch(`${url}${path}`);
    await response.body?.cancel();
    return response.status;
  };
  // Far more than a pipe holds, 64 KiB, if each were a line.
  const path = `/v1/scopes/${"a".repeat(1000)}`;
  const all = Promise.all(Array.from({ length: 20 }, async () => {
    for (let n = 0; n < 20; n++) assertEquals(await refuse(path), 401);
  }));
  await deadline(all, 10_000);
  const { status } = await deadline(fetch(`${url}/healthz`), 2_000);
  assert(status === 200);
});
