import { assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { ECHO, HELLO } from "../support/guest_programs.ts";

const bare = (program: Uint8Array) => ({
  pfnLimit: 16,
  start: 4096,
  load: [{ at: 4096, bytes: program.toBase64() }],
});

interface Owned {
  readonly headers: Record<string, string>;
  request(method: string, path: string, json?: unknown): Promise<Response>;
}

async function made(daemon: Daemon, name: string, program: Uint8Array): Promise<Owned> {
  const created = await daemon.json(201, "POST", "/v1/guests", { name, bare: bare(program) });
  const headers = {
    "innkeeper-owner": created.ownerToken as string,
    "content-type": "application/json",
  };
  return {
    headers,
    request: (method, path, json) =>
      daemon.fetch(`/v1/guests/${name}${path}`, {
        method,
        headers,
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      }),
  };
}

Deno.test("a guest that runs when the daemon is killed is reported as lost (case 44)", async () => {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-" });
  {
    await using daemon = await Daemon.start({ folder });
    const guest = await made(daemon, "g", HELLO);
    await (await guest.request("PUT", "/state", { state: "running" })).body?.cancel();
    const gone = await made(daemon, "gone", HELLO);
    await (await gone.request("DELETE", "")).body?.cancel();
    await daemon.stop("SIGKILL");
  }
  await using daemon = await Daemon.start({ folder });
  const { items } = await daemon.json(200, "GET", "/v1/guests");
  assertEquals(items.length, 1);
  assertEquals([items[0].state, items[0].deathReason], ["dead", "host_restart"]);
  const problem = await daemon.json(410, "POST", "/v1/guests/g/interrupts", { line: 1 });
  assertEquals([problem.code, problem.deathReason], ["guest-dead", "host_restart"]);
  const deaths = (await daemon.events()).filter(({ kind }) => kind === "guest.dead");
  assertEquals(deaths.map(({ reason }) => reason), ["host_restart"]);
  await daemon.json(204, "DELETE", "/v1/guests/g");
  await made(daemon, "g", HELLO);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a message goes through a guest that runs in the background, and a bump reaches it", async () => {
  await using daemon = await Daemon.start();
  const guest = await made(daemon, "echo", ECHO);
  await daemon.json(201, "PUT", "/v1/guests/echo/channels/60480");
  await (await guest.request("POST", "/runs", {})).body?.cancel();
  const text = "a bed for the night";
  const message = [text.length, 0, 0, 0, ...new TextEncoder().encode(text)];
  const written = await daemon.fetch(
    `/v1/guests/echo/memory/ranges/12288-${12288 + message.length - 1}`,
    {
      method: "PUT",
      headers: { ...guest.headers, "content-type": "application/octet-stream" },
      body: Uint8Array.from(message),
    },
  );
  assertEquals(written.status, 204);
  await (await guest.request("PUT", "/state", { state: "running" })).body?.cancel();
  const drained = daemon.fetch("/v1/guests/echo/channels/60480/drain", {
    method: "POST",
    headers: { prefer: "wait=30" },
  });
  await daemon.json(202, "POST", "/v1/guests/echo/interrupts", { line: 1 });
  assertEquals(await (await drained).json(), { address: 60480, count: 1 });
  const { generation } = await daemon.json(201, "POST", "/v1/scopes/echo/bumps", {
    reason: "test",
  });
  await (await guest.request("PUT", "/state", { state: "paused" })).body?.cancel();
  const read = async (range: string): Promise<DataView> =>
    new DataView(
      await (await daemon.fetch("/v1/guests/echo/memory", {
        headers: { ...guest.headers, range: `bytes=${range}` },
      })).arrayBuffer(),
    );
  const answer = await read(`16388-${16388 + text.length - 1}`);
  assertEquals(new TextDecoder().decode(answer), text);
  assertEquals((await read("8228-8231")).getUint32(0, true), generation);
  assertEquals((await daemon.json(200, "GET", "/v1/guests/echo")).generation, generation);
});
