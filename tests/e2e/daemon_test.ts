import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { retry } from "@std/async";
import { Daemon } from "../support/daemon.ts";

const ROOT = new URL("../..", import.meta.url);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function folder(): Promise<string> {
  return await Deno.makeTempDir({ prefix: "innkeeper-" });
}

async function unixHealth(path: string): Promise<number> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const response = await fetch("http://localhost/readyz", { client });
  await response.body?.cancel();
  return response.status;
}

Deno.test("the daemon listens on its unix socket and on TCP, and makes a token for itself only", async () => {
  await using daemon = await Daemon.start();
  assertEquals(await unixHealth(daemon.socketPath), 200);
  assertEquals((await fetch(`${daemon.url}/readyz`).then((one) => one.json())).status, "ok");
  const tokenFile = await Deno.stat(`${daemon.folder}/state/token`);
  assertEquals((tokenFile.mode ?? 0) & 0o777, 0o600);
  assertEquals(((await Deno.stat(daemon.socketPath)).mode ?? 0) & 0o777, 0o600);
  assertEquals(((await Deno.stat(`${daemon.folder}/run/private`)).mode ?? 0) & 0o777, 0o700);
  assertEquals(daemon.log.includes("started with all permissions"), false);
});

Deno.test("SIGTERM and SIGINT end the daemon cleanly: sockets told 1012, no socket file left", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const daemon = await Daemon.start();
    await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
    const client = await daemon.watch();
    await client.watchScope("vm-7", "app");
    await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "x" });
    const waiting = daemon.json(503, "GET", "/v1/scopes/vm-7/barrier?timeoutMs=0");
    await retry(async () => {
      const { requests } = await activity(daemon);
      assert(requests >= 3);
    }, { minTimeout: 10, maxTimeout: 50, maxAttempts: 50 });
    const status = daemon.stop(signal);
    assertEquals(await client.closed, 1012);
    await waiting;
    assertEquals(await status, 0);
    const left = [...Deno.readDirSync(`${daemon.folder}/run/private`)].map(({ name }) => name);
    assertEquals(left.sort(), ["lock", "mount"]);
  }
});

async function activity(daemon: Daemon): Promise<{ requests: number }> {
  const metrics = await (await daemon.fetch("/metrics")).text();
  const counts = [...metrics.matchAll(/^innkeeper_http_requests_total\{.*\} (\d+)$/gm)];
  return { requests: counts.reduce((sum, match) => sum + Number(match[1]), 0) };
}

Deno.test("a stale socket of a killed daemon is replaced; a live daemon's folders are refused with 3", async () => {
  const killed = await Daemon.start();
  await killed.stop("SIGKILL");
  assert((await Deno.lstat(killed.socketPath)).isSocket);
  await using daemon = await Daemon.start({ folder: killed.folder });
  assertEquals(await unixHealth(daemon.socketPath), 200);
  const second = await Daemon.command(daemon.folder).output();
  assertEquals([second.code, text(second.stdout)], [3, ""]);
  assertStringIncludes(text(second.stderr), "another Innkeeper");
  const run = ["--run", await folder()];
  const sameState = await Daemon.command(daemon.folder, { args: run }).output();
  assertEquals(sameState.code, 3, text(sameState.stderr));
  assertEquals(await unixHealth(daemon.socketPath), 200);
});

Deno.test("a live socket, a taken port and a file in the socket's place are refused with 4", async () => {
  await using daemon = await Daemon.start();
  const notSocket = `${await folder()}/file`;
  await Deno.writeTextFile(notSocket, "keep me");
  const cases = [`unix:${daemon.socketPath}`, new URL(daemon.url).host, `unix:${notSocket}`];
  for (const listen of cases) {
    const { code, stderr } = await Daemon.command(await folder(), { args: ["--listen", listen] })
      .output();
    assertEquals(code, 4, text(stderr));
    assertStringIncludes(text(stderr), listen.replace("unix:", ""));
  }
  assertEquals(await Deno.readTextFile(notSocket), "keep me");
  assertEquals(await unixHealth(daemon.socketPath), 200);
});

Deno.test("wrong flags end with 2 and name the flag; --help ends with 0 and names them all", async () => {
  const wrong = await Daemon.command(await folder(), { args: ["--nonsense"] }).output();
  assertEquals(wrong.code, 2);
  assertStringIncludes(text(wrong.stderr), "--nonsense");
  const help = await Daemon.command(await folder(), { args: ["--help"] }).output();
  assertEquals(help.code, 0);
  assertStringIncludes(text(help.stdout), "--cache-bytes");
});

Deno.test("a page that cannot be published ends the start with its reason (case 20)", async () => {
  const at = await folder();
  await Deno.mkdir(`${at}/run/pages/system/sysgenid`, { recursive: true });
  const { code, stderr } = await Daemon.command(at).output();
  assertEquals(code, 9);
  assertStringIncludes(text(stderr), "a folder is in its place");
});

Deno.test("SIGHUP reads the token file again and ends the sockets of removed tokens with 4401", async () => {
  const tokens = `${await folder()}/tokens`;
  await Deno.writeTextFile(tokens, "stays\ngoes watch,read\n");
  const args = ["--token-file", tokens];
  const start = Daemon.command(await folder(), { args });
  const child = start.spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const ready = JSON.parse((await reader.read()).value ?? "");
  await reader.cancel();
  const url = ready.listen.find((one: string) => one.startsWith("http"));
  const { WatchClient } = await import("../support/daemon.ts");
  const [stays, goes] = [await WatchClient.open(url, "stays"), await WatchClient.open(url, "goes")];
  await Deno.writeTextFile(tokens, "stays\n");
  child.kill("SIGHUP");
  assertEquals(await goes.closed, 4401);
  const refused = await fetch(`${url}/v1/scopes`, { headers: { authorization: "Bearer goes" } });
  assertEquals([refused.status, (await refused.json()).code], [401, "token-unknown"]);
  assertEquals(stays.socket.readyState, WebSocket.OPEN);
  await stays.close();
  child.kill("SIGTERM");
  assertEquals((await child.output()).code, 0);
});

Deno.test("a client that never ends its request does not keep the daemon from a clean stop", async () => {
  const daemon = await Daemon.start();
  const { hostname, port } = new URL(daemon.url);
  using half = await Deno.connect({ hostname, port: Number(port) });
  const head = `POST /v1/scopes/system/bumps HTTP/1.1\r\nHost: ${hostname}\r\n` +
    `Authorization: Bearer ${daemon.token}\r\nContent-Type: application/json\r\n` +
    "Content-Length: 100\r\n\r\n{";
  await half.write(new TextEncoder().encode(head));
  await daemon.json(200, "GET", "/readyz");
  assertEquals(await daemon.stop(), 0);
  await using again = await Daemon.start({ folder: daemon.folder });
  await again.json(200, "GET", "/readyz");
});

Deno.test("a unix socket has the scopes of its --listen only", async () => {
  const path = `${await folder()}/read.sock`;
  await using _daemon = await Daemon.start({ args: ["--listen", `unix:${path},scopes=read`] });
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const listed = await fetch("http://localhost/v1/scopes", { client });
  assertEquals(listed.status, 200);
  await listed.body?.cancel();
  const bump = await fetch("http://localhost/v1/scopes/system/bumps", {
    client,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"reason":"x"}',
  });
  assertEquals([bump.status, (await bump.json()).errno], [403, "EACCES"]);
});

Deno.test("started with -A the daemon runs and warns", async () => {
  const at = await folder();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "src/cli/main.ts", "serve", "--state", `${at}/state`, "--run", `${at}/run`]
      .concat(["--listen", "127.0.0.1:0"]),
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGTERM");
  reader.releaseLock();
  const { code, stderr } = await child.output();
  assertEquals(code, 0);
  assertStringIncludes(text(stderr), "started with all permissions");
});

Deno.test("deno serve mod.ts answers with the flags of the environment", async () => {
  const at = await folder();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["serve", "-A", "--port", "0", "mod.ts"],
    cwd: ROOT,
    env: { INNKEEPER_STATE: `${at}/state`, INNKEEPER_RUN: `${at}/run` },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!/http:\/\/\S+:\d+/.test(said)) {
    const { value, done } = await reader.read();
    assert(!done, said);
    said += value;
  }
  await reader.cancel();
  const port = /:(\d+)\//.exec(said)?.[1];
  const base = `http://127.0.0.1:${port}`;
  assertEquals((await (await fetch(`${base}/readyz`)).json()).status, "ok");
  const token = (await Deno.readTextFile(`${at}/state/token`)).trim();
  const refused = await fetch(`${base}/v1/scopes`);
  assertEquals(refused.status, 401);
  await refused.body?.cancel();
  const headers = { authorization: `Bearer ${token}` };
  assertEquals((await (await fetch(`${base}/v1/scopes`, { headers })).json()).items.length, 1);
  for (const path of ["/", "/console/main.js", "/docs", "/docs/swagger-ui-bundle.js"]) {
    const page = await fetch(`${base}${path}`);
    assertEquals([path, page.status, (await page.text()).length > 200], [path, 200, true]);
  }
  child.kill("SIGKILL");
  await child.status;
});
