import { assert, assertEquals } from "@std/assert";
import { type Need, needOf } from "../../routes/http/rights.ts";
import type { Route } from "../../routes/http/endpoint.ts";
import { PERMISSIONS } from "../../src/core/rights.ts";
import { Daemon, WatchClient } from "../support/daemon.ts";
import { DECLARED } from "../support/declared_routes.ts";
import { HELLO } from "../support/guest_programs.ts";

/** Names of the one who calls, and of somebody else. */
const [MINE, THEIRS] = ["mine-", "theirs-"];
/** Where sockets are made. */
const FOLDER = Deno.makeTempDirSync();
const GUARDED = DECLARED.filter(({ needs }) => needs !== undefined);

/** The grants by which a need is met on names that begin so. */
function grantsOf({ permission, on = [] }: Need, prefix: string): string[] {
  const places = [on].flat();
  if (places.length === 0) return [permission];
  return places.map((place) => {
    const { kind } = place;
    const isPath = kind === "listeners" && "in" in place && place.in === "body";
    const start = kind === "remotes"
      ? `https://${prefix}.example/`
      : isPath
      ? `unix:${FOLDER}/${prefix}`
      : prefix;
    return `${permission}:${kind}/${start}*`;
  });
}

/** The callers of one cell row: who may, on whose names, and who has all but the permission. */
function callersOf({ needs = "read", also = [] }: Route) {
  const need = needOf(needs);
  const further = also.filter(({ permission, on }) => permission !== "admin" && on !== undefined);
  const grants = (prefix: string) => [need, ...further].flatMap((one) => grantsOf(one, prefix));
  const others = PERMISSIONS.filter((one) => one !== need.permission && one !== "admin");
  return {
    right: grants(MINE).join(),
    other: need.on === undefined
      ? [
        ...new Set(["scopes", "guests", "sandboxes", "roots"].map((kind) =>
          need.permission === "admin" ? "read" : `${need.permission}:${kind}/*`
        )),
      ].join()
      : grants(THEIRS).join(),
    others: others.join(),
  };
}

const tokens = new Map<string, string>();
for (const route of GUARDED) {
  for (const grants of Object.values(callersOf(route))) {
    if (!tokens.has(grants)) tokens.set(grants, `secret-${tokens.size}`);
  }
}
const tokenFile = [
  "all",
  ...[...tokens].map(([grants, token], n) => `${token} name=t${n} ${grants}`),
];

interface Fixture {
  readonly owner: string;
  readonly snapshot: string;
  readonly device: string;
  readonly inode: string;
}

const bare = {
  pfnLimit: 16,
  start: 4096,
  load: [{ at: 4096, bytes: HELLO.toBase64() }],
};
const DEVICE = { containerPath: "/dev/null", type: "c", major: 1, minor: 3 };
const RANGE = { offset: 0, length: 4096 };

/** What to send, by the verb and the path. Routes without an entry take an empty object or nothing. */
const BODIES: Readonly<Record<string, unknown>> = {
  "POST /v1/scopes/{s}/bumps": { reason: "x" },
  "POST /v1/scopes/{s}/quiesce": { reason: "x", maxMs: 1000 },
  "PUT /v1/scopes/{s}/watchers/{w}": { track: true },
  "PUT /v1/scopes/{s}/watchers/{w}/ack": { generation: 0 },
  "PUT /v1/scopes/{s}/watchers/{w}/failure": { generation: 0, reason: "x" },
  "POST /v1/devices/anonymous": { kind: "simple" },
  "POST /v1/devices/resolve": DEVICE,
  "POST /v1/devices": { ...DEVICE, sandbox: `${MINE}1` },
  "POST /v1/inodes": { root: `${MINE}root`, path: "a", access: "rw", cache: "own", holder: "h" },
  "PUT /v1/listeners/{l}": { path: `${FOLDER}/${MINE}l`, scope: `${MINE}1`, permissions: ["read"] },
  "POST /v1/guests": { name: `${MINE}new`, bare },
  "PUT /v1/guests/{g}/state": { state: "ready" },
  "POST /v1/guests/{g}/interrupts": { line: 1 },
  "PUT /v1/guests/{g}/registers/{name}": { value: 1 },
  "POST /v1/inodes/{i}/allocate": RANGE,
  "POST /v1/inodes/{i}/links": { path: "b" },
  "POST /v1/inodes/{i}/mappings": { ...RANGE, space: "vm", address: 4096, writable: false },
  "POST /v1/inodes/{i}/references": RANGE,
  "POST /v1/inodes/{i}/translate": { required: RANGE, access: "read", holder: "h" },
};

const QUERIES: Readonly<Record<string, string>> = {
  "GET /v1/barrier": `?scope=${MINE}1`,
  "GET /v1/devices/{id}/render": "?for=qemu",
  "DELETE /v1/inodes/{i}/links": "?path=b",
  "DELETE /v1/inodes/{i}/references": "?offset=0&length=4096",
  "DELETE /v1/inodes/{i}/mappings": "?offset=0&length=4096&space=vm&address=4096&writable=false",
};

/** Answers that say that the caller may not, or that it may not know. */
const REFUSED =
  /^(not-permitted|bump-not-permitted|not-owner|watcher-not-owned|token-.*|(scope|guest|listener|device|inode|snapshot|watcher)-not-found)$/;

class World {
  #fixture: Fixture | undefined;

  constructor(readonly daemon: Daemon) {}

  changeOwner(owner: string): void {
    if (this.#fixture !== undefined) this.#fixture = { ...this.#fixture, owner };
  }

  async fetch(path: string, token: string | undefined, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    return await fetch(`${this.daemon.url}${path}`, { ...init, headers });
  }

  async admin(method: string, path: string, json?: unknown, headers = {}) {
    const response = await this.fetch(path, "all", {
      method,
      headers: { ...headers, ...json === undefined ? {} : { "content-type": "application/json" } },
      body: json === undefined ? null : JSON.stringify(json),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : {} };
  }

  /** Everything that the paths name, made again where an earlier call has taken it away. */
  async fixture(): Promise<Fixture> {
    const before = this.#fixture;
    await this.admin("PUT", `/v1/scopes/${MINE}1`, {});
    await this.admin("POST", "/v1/devices/anonymous", { kind: "multi" });
    const listener = `/v1/listeners/${MINE}l`;
    await this.admin("PUT", listener, BODIES["PUT /v1/listeners/{l}"]);
    const isThere = async (path: string) => (await this.admin("GET", path)).status === 200;
    let owner = before?.owner ?? "";
    if (!await isThere(`/v1/guests/${MINE}1`)) {
      const json = { name: `${MINE}1`, scope: `${MINE}1`, bare };
      owner = (await this.admin("POST", "/v1/guests", json)).body.ownerToken;
    }
    let snapshot = before?.snapshot ?? "none";
    if (!await isThere(`/v1/snapshots/${snapshot}`)) {
      const headers = { "innkeeper-owner": owner };
      await this.admin("PUT", `/v1/guests/${MINE}1/state`, { state: "paused" }, headers);
      snapshot = (await this.admin("POST", `/v1/guests/${MINE}1/snapshots`, undefined, headers))
        .body.id;
    }
    const device = (await this.admin("POST", "/v1/devices", BODIES["POST /v1/devices"])).body.id;
    const inode = (await this.admin("POST", "/v1/inodes", BODIES["POST /v1/inodes"])).body.id;
    assert([owner, snapshot, device, inode].every((one) => typeof one === "string" && one !== ""));
    return this.#fixture = { owner, snapshot, device, inode };
  }
}

function pathOf({ method, path, needs = "read" }: Route, fixture: Fixture): string {
  const { snapshot, device, inode } = fixture;
  const isAnonymous = needOf(needs).on === undefined;
  const id = path.startsWith("/v1/snapshots") ? snapshot : isAnonymous ? "anon-1" : device;
  const names: Record<string, string> = {
    ...{ s: `${MINE}1`, w: "w1", g: `${MINE}1`, i: inode, id, h: "h", holder: "h1" },
    ...{ l: `${MINE}l`, range: "0-3", address: "4096", name: "ax", virtualInode: "1" },
  };
  const query = QUERIES[`${method.toUpperCase()} ${path}`] ?? "";
  return path.replaceAll(/\{(\w+)\}/g, (_all, name) => names[name] ?? "1") + query;
}

function octetsOf(verb: string): string {
  return verb === "PATCH" ? "multipart/byteranges; boundary=x" : "application/octet-stream";
}

async function call(
  world: World,
  route: Route,
  fixture: Fixture,
  token: string | undefined,
  isOwner = true,
): Promise<{ status: number; code: string | undefined; text: string }> {
  const { method, path, headers: names = [] } = route;
  const verb = method.toUpperCase();
  const isOctets = path.includes("/ranges/") || verb !== "GET" && path.endsWith("/data");
  const headers: Record<string, string> = {
    ...isOwner && names.includes("Innkeeper-Owner") ? { "innkeeper-owner": fixture.owner } : {},
    ...verb === "GET" ? { accept: "application/json" } : {},
    ...verb === "GET" || verb === "DELETE"
      ? {}
      : { "content-type": isOctets ? octetsOf(verb) : "application/json" },
  };
  const body = verb === "GET" || verb === "DELETE"
    ? null
    : isOctets
    ? "abcd"
    : JSON.stringify(BODIES[`${verb} ${path}`] ?? {});
  const url = pathOf(route, fixture);
  const response = await world.fetch(url, token, { method: verb, headers, body });
  const text = await response.text();
  const code = response.status < 400 ? undefined : JSON.parse(text).code;
  return { status: response.status, code, text };
}

async function daemonWith(
  grants: readonly string[],
  args: readonly string[] = [],
): Promise<Daemon> {
  const folder = await Deno.makeTempDir();
  for (const root of [MINE, THEIRS]) {
    await Deno.mkdir(`${folder}/${root}root`);
    await Deno.writeFile(`${folder}/${root}root/a`, new Uint8Array(8192));
  }
  await Deno.writeTextFile(`${folder}/tokens`, grants.join("\n"));
  return await Daemon.start({
    folder,
    args: [
      ...["--token-file", `${folder}/tokens`],
      ...["--root", `${MINE}root=${folder}/${MINE}root`],
      ...["--root", `${THEIRS}root=${folder}/${THEIRS}root`],
      ...args,
    ],
  });
}

Deno.test("every route × verb × right is what docs/access.md says: nothing, right, right on another name, every other", async (t) => {
  await using daemon = await daemonWith(tokenFile);
  const world = new World(daemon);
  const document = await (await world.fetch("/openapi.json", undefined)).json();
  const served = Object.entries(document.paths as Record<string, object>)
    .flatMap(([path, verbs]) => Object.keys(verbs).map((verb) => `${verb} ${path}`))
    .filter((one) => / \/(v1\/|metrics)/.test(one));
  const declared = DECLARED.map(({ method, path }) => `${method} ${path}`);
  assertEquals(served.sort(), declared.sort(), "the daemon serves what the table has");

  // What takes something away comes last, and the longest path first: the scope after its watchers.
  const ordered = GUARDED.toSorted((a, b) =>
    Number(a.method === "delete") - Number(b.method === "delete") || b.path.length - a.path.length
  );
  for (const route of ordered) {
    const what = `${route.method.toUpperCase()} ${route.path}`;
    await t.step(what, async () => {
      const { permission, on = [] } = needOf(route.needs ?? "read");
      const { right, other, others } = callersOf(route);
      const places = [on].flat();
      const fixture = await world.fixture();
      const token = (grants: string) => tokens.get(grants) as string;
      const code = permission === "bump" ? "bump-not-permitted" : "not-permitted";

      assertEquals((await call(world, route, fixture, undefined)).code, "token-missing");
      assertEquals((await call(world, route, fixture, token(others))).code, code, others);
      const foreign = await call(world, route, fixture, token(other));
      const [place] = places;
      if (place === undefined || "param" in place || place.in === "body" || place.in === "query") {
        assertEquals(foreign.code, code, `${other}: ${foreign.text}`);
      } else if (place.in === "what it is of") {
        assertEquals(foreign.status, 404, `${other}: ${foreign.text}`);
      } else if (place.in === "each item") {
        assertEquals(foreign.status, 200, foreign.text);
        assert(!foreign.text.includes(MINE), `${other} is shown ${foreign.text.slice(0, 300)}`);
      }

      if (route.path.includes("{w}")) {
        const watch = token(
          grantsOf(needOf({ permission: "watch", on: [{ kind: "scopes", param: "s" }] }), MINE)
            .join(),
        );
        await world.fetch(`/v1/scopes/${MINE}1/watchers/w1`, watch, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: '{"track":true}',
        }).then((response) => response.body?.cancel());
      }
      const owned = route.headers?.includes("Innkeeper-Owner") === true &&
        place !== undefined && ("param" in place || place.in === "what it is of");
      if (owned) {
        const unowned = await call(world, route, fixture, token(right), false);
        assertEquals(unowned.code, "not-owner", `without the owner: ${unowned.text}`);
      }
      const granted = await call(world, route, fixture, right === "admin" ? "all" : token(right));
      if (route.path.endsWith("/owner")) world.changeOwner(JSON.parse(granted.text).ownerToken);
      assert(!REFUSED.test(granted.code ?? ""), `${right}: ${granted.text}`);
      assert(granted.status !== 500 && granted.status !== 401, granted.text);
      if (place !== undefined && "in" in place && place.in === "each item") {
        assert(granted.text.includes(MINE), `${right} is shown nothing: ${granted.text}`);
      }
    });
  }
});

Deno.test("frames, listeners and events show and do what their grants name", async () => {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/narrow.sock`;
  const listener = `unix:${socket},permissions=read:mine-*+write:mine-*`;
  const lines = ["all", "w name=w watch:mine-*", "g name=g watch:mine-*,guest:mine-*"];
  await using daemon = await daemonWith(lines, ["--listen", listener]);
  const world = new World(daemon);
  for (const scope of ["mine-1", "theirs-1"]) await world.admin("PUT", `/v1/scopes/${scope}`, {});
  const { body: { ownerToken } } = await world.admin("POST", "/v1/guests", {
    name: "mine-1",
    scope: "mine-1",
    bare,
  });
  const w = await WatchClient.open(daemon.url, "w");
  const code = async (client: WatchClient, request: Record<string, unknown>) => {
    const answer = await client.request(request);
    return answer["type"] === "error" ? answer["problem"]?.code ?? answer["code"] : answer["type"];
  };
  const watch = (scope: string) => ({ type: "watch", scope, name: "a", track: true });
  assertEquals(await code(w, watch("mine-1")), "watching");
  for (const scope of ["theirs-1", "theirs-none"]) {
    assertEquals(await code(w, watch(scope)), "not-permitted");
    assertEquals(await code(w, { type: "unwatch", scope }), "not-watching");
    assertEquals(await code(w, { type: "ack", scope, generation: 0 }), "not-watching");
  }
  const attach = { type: "attach", guest: "mine-1", address: 4096 };
  assertEquals(await code(w, { ...attach, owner: ownerToken }), "not-permitted");
  const g = await WatchClient.open(daemon.url, "g");
  assertEquals(await code(g, attach), "not-owner");
  assertEquals(await code(g, { ...attach, owner: "wrong" }), "not-owner");
  assertEquals(await code(g, { ...attach, guest: "theirs-1", owner: ownerToken }), "not-permitted");
  assertEquals(await code(g, { ...attach, owner: ownerToken }), "attached");
  const drain = { type: "drain", guest: "mine-1", address: 4096, count: 1 };
  assertEquals(await code(g, drain), "drained");
  assertEquals((await world.admin("POST", "/v1/guests/mine-1/owner")).status, 201);
  assertEquals(await code(g, drain), "channel-not-found", "what the one before has attached ends");
  assertEquals(await code(g, { ...attach, owner: ownerToken }), "not-owner");
  await Promise.all([w.close(), g.close()]);

  using client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  const narrow = async (method: string, path: string, body?: string) => {
    const headers = { accept: "application/json", "content-type": "application/json" };
    const response = await fetch(`http://localhost${path}`, {
      client,
      method,
      headers,
      body: body ?? null,
    });
    return [response.status, await response.text()] as const;
  };
  const [, list] = await narrow("GET", "/v1/scopes");
  assertEquals(JSON.parse(list).items.map(({ name }: { name: string }) => name), ["mine-1"]);
  assertEquals((await narrow("PUT", "/v1/scopes/mine-2", "{}"))[0], 201);
  const [status, refusal] = await narrow("PUT", "/v1/scopes/theirs-2", "{}");
  assertEquals([status, refusal.includes(`unix:${socket}`)], [403, true]);
  const [, events] = await narrow("GET", "/v1/events?limit=1000");
  const subjects: string[] = JSON.parse(events).items.map(({ subject }: { subject: string }) =>
    subject
  );
  assert(subjects.length > 0 && subjects.every((one) => one.startsWith("mine-")), events);
  assertEquals((await narrow("GET", "/metrics"))[0], 403);
  const history = await world.admin("GET", "/v1/scopes/mine-2/history");
  assertEquals(history.status, 200);
});
