import { assert, assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";

/** Sends a request to a unix socket, as a program does that has no more than its path. */
async function call(
  path: string,
  method: string,
  target: string,
  body?: unknown,
  // deno-lint-ignore no-explicit-any -- tests read members as they come and assert on each
): Promise<{ status: number; body: any }> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const response = await fetch(`http://localhost${target}`, {
    client,
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

const ino = (path: string): number | null => Deno.lstatSync(path).ino;

Deno.test("a socket made at run time lets its principal act on one scope, over a stop and a kill -9", async () => {
  let daemon = await Daemon.start();
  const path = `${daemon.folder}/vm/v.sock_1024`;
  const wanted = { path, scope: "vm-7", permissions: ["read", "watch"] };
  const missing = await daemon.json(422, "PUT", "/v1/listeners/vm-7", wanted);
  assertEquals([missing.code, missing.detail.includes("make it first")], ["path-unusable", true]);
  Deno.mkdirSync(`${daemon.folder}/vm`);
  for (const scope of ["vm-7", "vm-8"]) await daemon.json(201, "PUT", `/v1/scopes/${scope}`, {});
  const made = await daemon.json(201, "PUT", "/v1/listeners/vm-7", wanted);
  assertEquals(made, {
    ...wanted,
    ...{ name: "vm-7", mode: "0600", principal: "listener:vm-7", listening: true },
  });
  assertEquals((Deno.lstatSync(path).mode ?? 0) & 0o777, 0o600);
  const watcher = "/v1/scopes/vm-7/watchers/app";
  assertEquals((await call(path, "PUT", watcher, { track: true })).status, 201);
  const shown = await daemon.json(200, "GET", "/v1/scopes/vm-7/watchers/app");
  assertEquals(shown.owner, "listener:vm-7");
  assertEquals((await call(path, "GET", "/v1/scopes/vm-8")).status, 403);
  assertEquals((await call(path, "POST", "/v1/scopes/vm-7/bumps", { reason: "x" })).status, 403);
  assertEquals((await call(path, "GET", "/v1/listeners/vm-7")).status, 403);
  // The same again changes nothing, and a second socket takes the slot after it.
  const inode = ino(path);
  await daemon.json(200, "PUT", "/v1/listeners/vm-7", wanted);
  assertEquals(ino(path), inode);
  const second = { path: `${daemon.folder}/vm/v.sock_1025`, scope: "vm-8", mode: "0666" };
  await daemon.json(201, "PUT", "/v1/listeners/vm-8", second);
  assertEquals((await call(second.path, "GET", "/v1/scopes/vm-8")).status, 200);
  assertEquals((await call(path, "GET", "/v1/scopes/vm-7")).status, 200);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await daemon.stop(signal);
    daemon = await Daemon.start({ folder: daemon.folder });
    assertEquals((await call(path, "GET", "/v1/scopes/vm-7")).status, 200, signal);
    const { items } = await daemon.json(200, "GET", "/v1/listeners");
    assertEquals(items.map(({ name }: { name: string }) => name), ["vm-7", "vm-8"]);
  }
  await daemon.json(204, "DELETE", "/v1/listeners/vm-7");
  assertEquals([...Deno.readDirSync(`${daemon.folder}/vm`)].map(({ name }) => name), [
    "v.sock_1025",
  ]);
  await daemon.json(404, "GET", "/v1/listeners/vm-7");
  await daemon.stop("SIGKILL");
});

Deno.test("a socket made at run time never takes the place of another file", async () => {
  const daemon = await Daemon.start();
  const { folder } = daemon;
  const other = Deno.listen({ transport: "unix", path: `${folder}/other.sock` });
  Deno.writeTextFileSync(`${folder}/file`, "mine");
  for (const name of ["file", "other.sock", "state"]) {
    const wanted = { path: `${folder}/${name}`, scope: "vm-7" };
    const { code } = await daemon.json(409, "PUT", "/v1/listeners/a", wanted);
    assertEquals(code, "path-taken", name);
  }
  assertEquals(Deno.readTextFileSync(`${folder}/file`), "mine");
  for (const path of ["x", "/a/../b", "/a//b", `/${"x".repeat(107)}`]) {
    const refused = await daemon.json(422, "PUT", "/v1/listeners/a", { path, scope: "vm-7" });
    assertEquals(refused.code, "value-not-allowed", path);
  }
  const away = { path: "/dev/shm/innkeeper-listener.sock", scope: "vm-7" };
  const refused = await daemon.json(422, "PUT", "/v1/listeners/a", away);
  assert(refused.detail.includes("another file system"), refused.detail);
  // What takes the place while no daemon runs stays, and the listener says why it does not listen.
  const path = `${folder}/v.sock`;
  await daemon.json(201, "PUT", "/v1/listeners/a", { path, scope: "vm-7" });
  await daemon.stop("SIGKILL");
  Deno.removeSync(path);
  Deno.writeTextFileSync(path, "theirs");
  await using again = await Daemon.start({ folder });
  const shown = await again.json(200, "GET", "/v1/listeners/a");
  assertEquals([shown.listening, shown.reason.includes("something else is there")], [false, true]);
  assertEquals(Deno.readTextFileSync(path), "theirs");
  // One that fails leaves the one before in force.
  await again.json(201, "PUT", "/v1/listeners/b", { path: `${folder}/b.sock`, scope: "vm-7" });
  await again.json(409, "PUT", "/v1/listeners/b", { path: `${folder}/file`, scope: "vm-7" });
  await again.json(201, "PUT", "/v1/scopes/vm-7", {});
  assertEquals((await call(`${folder}/b.sock`, "GET", "/v1/scopes/vm-7")).status, 200);
  assertEquals((await again.json(200, "GET", "/v1/listeners/b")).path, `${folder}/b.sock`);
  // Freed, it listens with the next request.
  Deno.removeSync(path);
  await again.json(200, "PUT", "/v1/listeners/a", { path, scope: "vm-7" });
  assertEquals((await call(path, "GET", "/v1/scopes/vm-7")).status, 200);
  other.close();
});

Deno.test("nobody makes a socket with rights that it lacks, or where it may not", async () => {
  const first = await Daemon.start();
  const { folder } = first;
  await first.stop();
  const token = "t".repeat(32);
  const grants = `write:listeners/vm-*,write:listeners/unix:${folder}/*,watch:vm-*,read:vm-*`;
  Deno.writeTextFileSync(`${folder}/state/token`, `${first.token}\n${token} name=ci ${grants}\n`);
  await using daemon = await Daemon.start({ folder });
  const put = async (name: string, body: unknown): Promise<number> => {
    const response = await daemon.fetch(`/v1/listeners/${name}`, {
      method: "PUT",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    });
    await response.body?.cancel();
    return response.status;
  };
  const path = `${folder}/v.sock`;
  assertEquals(await put("vm-7", { path, scope: "vm-7", permissions: ["watch", "bump"] }), 403);
  assertEquals(await put("vm-7", { path, scope: "other" }), 403);
  assertEquals(await put("other", { path, scope: "vm-7" }), 403);
  assertEquals(await put("vm-7", { path: "/tmp/elsewhere.sock", scope: "vm-7" }), 403);
  assertEquals(await put("vm-7", { path, scope: "vm-7" }), 201);
});

Deno.test("a daemon listens on a vsock where the kernel has it, and says what is missing where not", async () => {
  const folder = await Deno.makeTempDir();
  const child = Daemon.command(folder, { args: ["--listen", "vsock:18787"] }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  await reader.cancel();
  if (value === undefined) {
    const said = await new Response(child.stderr).text();
    assertEquals((await child.status).code, 4, said);
    assert(said.includes("Cannot listen on vsock:18787"), said);
    assert(said.includes("it needs a kernel with vsock"), said);
    return;
  }
  assert(JSON.parse(value.split("\n")[0] as string).listen.includes("vsock:18787"), value);
  child.kill("SIGTERM");
  await child.stderr.cancel();
  assertEquals((await child.status).code, 0);
});
