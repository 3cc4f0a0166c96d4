/**
 * What the client must do in every runtime, in plain JavaScript: it runs in Deno, Node and browsers
 * as it stands, on the package as it is built, against a real daemon. `runtimes_test.ts` runs it.
 */

/** @typedef {typeof import("../../src/client/mod.ts")} Client */

/**
 * @typedef {object} World
 * @property {string} runtime
 * @property {string} url Of the daemon
 * @property {string} token That may do everything
 * @property {string} readerToken That may only read
 * @property {string} socket Path of the daemon's unix socket
 * @property {string} control Where the daemon is stopped and started
 * @property {string} silentUrl Of something that says hello and then nothing
 */

/** @type {[string, (client: Client, world: World) => Promise<void>][]} */
const CASES = [];

/** @param {string} name @param {(client: Client, world: World) => Promise<void>} fn */
function test(name, fn) {
  CASES.push([name, fn]);
}

/** @param {unknown} actual @param {unknown} expected */
function equals(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a} is not ${b}`);
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @param {number} [ms]
 * @returns {Promise<T>}
 */
function within(promise, what, ms = 15_000) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** @param {Promise<unknown>} promise @param {string} what */
async function refusal(promise, what) {
  try {
    await within(promise, what);
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: it was not refused`);
}

/** @param {() => boolean} condition @param {string} what */
async function until(condition, what) {
  for (let n = 0; n < 1500 && !condition(); n++) await new Promise((r) => setTimeout(r, 10));
  if (!condition()) throw new Error(`${what}: it did not happen`);
}

/** @param {World} world @param {string} order */
async function command({ control }, order) {
  const response = await fetch(`${control}/${order}`, { method: "POST" });
  equals([order, response.status, await response.text()], [order, 200, ""]);
}

let scopes = 0;

/** A scope of its own for each test. @param {Client} client @param {World} world */
async function newScope({ HttpClient }, { runtime, url, token }) {
  const http = new HttpClient({ url, token });
  const scope = `${runtime}-${++scopes}`;
  await http.request("PUT", `/v1/scopes/${scope}`, { json: {} });
  return {
    scope,
    /** Bumps, and waits until all have confirmed. */
    round: async () => {
      await http.request("POST", `/v1/scopes/${scope}/bumps`, { json: { reason: "restore" } });
      const { body } = await http.request("GET", `/v1/scopes/${scope}/barrier?atLeast=1`, {
        headers: { prefer: "wait=30", accept: "application/json" },
      });
      return body.confirmed.map(({ name }) => name);
    },
    /**
     * What an operator does: nobody can prove over TCP that the watcher before is no more, or that
     * one whose connection was cut before it heard of its token is.
     */
    releaseAbsent: async () => {
      const { body } = await http.request("GET", `/v1/scopes/${scope}/watchers`);
      for (const { watcher, presence } of body.items) {
        if (presence === "connected") continue;
        await http.request("DELETE", `/v1/scopes/${scope}/watchers/${watcher}`);
      }
    },
  };
}

/** Those of the current test. A process would not end while one of them goes on. */
const watchers = new Set();

/** A watcher that notes what it hears. @param {Client} client @param {object} options */
function watch({ Watcher }, options) {
  const seen = [];
  const connections = [];
  const watcher = new Watcher({
    name: "app",
    onGeneration: ({ generation }) => void seen.push(generation),
    onConnection: (state, detail) => void connections.push(`${state}: ${detail}`),
    ...options,
  });
  watchers.add(watcher);
  return { watcher, seen, connections };
}

test(
  "HttpClient reads JSON and bytes, and throws what the daemon refuses",
  async (client, world) => {
    const { HttpClient, ProblemError } = client;
    const { url, token } = world;
    const http = new HttpClient({ url: `${url}/`, token: () => Promise.resolve(token) });
    const { scope } = await newScope(client, world);
    const { status, body } = await http.request("GET", `/v1/scopes/${scope}`);
    equals([status, body.name, body.generation], [200, scope, 0]);
    const page = await http.read(`/v1/scopes/${scope}/page`);
    equals([page.body instanceof Uint8Array, page.body.length], [true, 4096]);
    const error = await refusal(
      http.request("GET", "/v1/scopes/none"),
      "a scope that is not there",
    );
    equals([error instanceof ProblemError, error.problem?.code], [true, "scope-not-found"]);
  },
);

test(
  "HttpClient tells a daemon that is not there from one that refuses",
  async (client, { url }) => {
    const wrong = new client.HttpClient({ url, token: "wrong" });
    const error = await refusal(wrong.request("GET", "/v1/scopes"), "a wrong token");
    equals([error.problem?.status, error.problem?.code], [401, "token-unknown"]);
    const nowhere = new client.HttpClient({ url: "http://127.0.0.1:9", token: "wrong" });
    const unreachable = await refusal(nowhere.request("GET", "/v1/scopes"), "a closed port");
    equals(unreachable instanceof client.UnreachableError, true);
  },
);

test("Watcher goes by url and token: it is told, and the barrier opens", async (client, world) => {
  const { scope, round } = await newScope(client, world);
  const { watcher, seen } = watch(client, { url: world.url, token: world.token, scope });
  await within(watcher.ready, "ready");
  equals([await round(), seen], [["app"], [1]]);
  await within(watcher.stop(), "stop");
  equals(watcher.isLeftBehind, false);
});

test("Watcher whose token is wrong rejects ready with the 401", async (client, { url }) => {
  for (const [token, code] of [["wrong", "token-unknown"], [undefined, "token-missing"]]) {
    const { watcher } = watch(client, { url, token, scope: "vm-7" });
    const error = await refusal(watcher.ready, "ready");
    equals([error instanceof client.ProblemError, error.problem?.status], [true, 401]);
    equals([error.problem.code, await refusal(watcher.done, "done") === error], [code, true]);
  }
});

test("Watcher whose token cannot be one rejects ready", async (client, { url }) => {
  for (const token of ["", "one\ntwo", () => "ein Wort zuviel"]) {
    const { watcher } = watch(client, { url, token, scope: "vm-7" });
    equals((await refusal(watcher.ready, "ready")).name, "ConnectError");
  }
});

test("Watcher whose token may not watch rejects ready with the 403", async (client, world) => {
  const { watcher } = watch(client, { url: world.url, token: world.readerToken, scope: "vm-7" });
  const error = await refusal(watcher.ready, "ready");
  equals([error.problem?.status, error.message.includes('"watch"')], [403, true]);
});

test("Watcher of a scope that is not there rejects ready", async (client, { url, token }) => {
  const { watcher } = watch(client, { url, token, scope: "none" });
  equals((await refusal(watcher.ready, "ready")).problem?.code, "scope-not-found");
});

test("Watcher that cannot know where to connect throws", async ({ Watcher, ConnectError }) => {
  for (const where of [{}, { url: "innkeeper" }, { url: "ftp://127.0.0.1" }, { url: "" }]) {
    // A page may give an address that is relative to its own.
    if (globalThis.document !== undefined && "url" in where && !where.url.includes(":")) continue;
    const make = () =>
      Promise.resolve(new Watcher({ ...where, scope: "a", name: "a", onGeneration() {} }));
    const error = await refusal(Promise.resolve().then(make), JSON.stringify(where));
    equals(error instanceof ConnectError, true);
  }
});

test("Watcher that is stopped before it is registered rejects ready", async (client, world) => {
  const { watcher } = watch(client, { url: world.url, token: world.token, scope: "vm-7" });
  const ready = refusal(watcher.ready, "ready");
  await within(watcher.stop(), "stop");
  equals((await ready).message, "The watcher was stopped before it was registered");
});

test("Watcher goes by a ticket, once", async (client, world) => {
  const { scope, round } = await newScope(client, world);
  const { url } = world;
  const http = new client.HttpClient({ url, token: world.token });
  const { body: { ticket } } = await http.request("POST", "/v1/tickets");
  const { watcher, seen } = watch(client, { url, ticket, scope });
  await within(watcher.ready, "ready");
  equals([await round(), seen], [["app"], [1]]);
  const { watcher: second } = watch(client, { url, ticket, scope });
  const error = await refusal(second.ready, "ready of a ticket that is used");
  equals([error.problem?.status, error.problem?.code], [401, "ticket-unknown"]);
  await watcher.stop();
});

test("Watcher goes through a unix socket where there are any", async (client, world) => {
  const { runtime, socket } = world;
  const { scope, round } = await newScope(client, world);
  const http = new client.HttpClient({ socket });
  const { watcher, seen } = watch(client, { socket, scope });
  if (runtime === "chromium") {
    for (const call of [watcher.ready, http.request("GET", "/v1/scopes")]) {
      const error = await refusal(call, "a unix socket in a browser");
      equals([error.name, /in a browser/.test(error.message)], ["ConnectError", true]);
    }
    return;
  }
  await within(watcher.ready, "ready");
  equals([await round(), seen], [["app"], [1]]);
  const { body } = await http.request("GET", `/v1/scopes/${scope}`);
  equals([body.generation, body.tracked], [1, 1]);
  const late = http.request("GET", `/v1/scopes/${scope}/generation`, {
    headers: { prefer: "wait=30", "if-none-match": '"1"' },
    signal: AbortSignal.timeout(50),
  });
  equals((await refusal(late, "an aborted request")).name, "TimeoutError");
  const gone = new client.HttpClient({ socket: `${socket}.none` });
  const error = await refusal(gone.request("GET", "/v1/scopes"), "a socket that is not there");
  equals([error instanceof client.UnreachableError, error.message.includes(".none")], [true, true]);
  await watcher.stop();
});

test("GuestConsole tells why it is refused", async ({ GuestConsole }, { url, token }) => {
  const error = await refusal(GuestConsole.connect({ url, token }, "none"), "no guest");
  equals([error.problem?.status, error.problem?.code], [404, "guest-not-found"]);
  const wrong = await refusal(GuestConsole.connect({ url, token: "wrong" }, "none"), "no token");
  equals(wrong.problem?.status, 401);
});

test("a daemon that ends and comes back does not end the process", async (client, world) => {
  const { url, token, socket, runtime } = world;
  const http = new client.HttpClient({ url, token });
  const ticket = async () => (await http.request("POST", "/v1/tickets")).body.ticket;
  const Socket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
  // Its connection itself is refused while nobody is there. Others fail before, at their ticket.
  const open = async (protocol) => {
    const known = await ticket().catch(() => "none");
    return new Socket(`${url.replace("http", "ws")}/v1/watch?ticket=${known}`, protocol);
  };
  const unix = runtime === "chromium" ? [] : [{ socket }];
  const ways = [{ url, token }, { url, ticket }, { open }, ...unix];
  for (const down of ["stop", "kill"]) {
    const watching = [];
    for (const way of ways) {
      const { scope, round, releaseAbsent } = await newScope(client, world);
      watching.push({ round, releaseAbsent, ...watch(client, { ...way, scope }) });
    }
    for (const { watcher, round, releaseAbsent } of watching) {
      await within(watcher.ready, "ready");
      await releaseAbsent();
      equals(await round(), ["app"]);
    }
    await command(world, down);
    for (const { connections } of watching) {
      // Some tries fail while nobody is there: that is where Node 22 ended.
      await until(
        () => connections.filter((text) => text.startsWith("lost")).length >= 3,
        `lost: ${connections.join("; ")}`,
      );
    }
    await command(world, "start");
    for (const { watcher, connections, round, releaseAbsent, seen } of watching) {
      await until(() => connections.at(-1) === "connected: as the same watcher", "back");
      await releaseAbsent();
      equals([await round(), seen], [["app"], [1, 2]]);
      await watcher.stop();
    }
  }
});

test(
  "Watcher with one ticket ends when its connection is lost, and says why",
  async (client, world) => {
    const { url } = world;
    const { scope } = await newScope(client, world);
    const { body: { ticket } } = await new client.HttpClient({ url, token: world.token }).request(
      "POST",
      "/v1/tickets",
    );
    const { watcher } = watch(client, { url, ticket, scope });
    await within(watcher.ready, "ready");
    await command(world, "stop");
    const error = await refusal(watcher.done, "done");
    await command(world, "start");
    equals([error.name, error.message.includes("good once")], ["ConnectError", true]);
  },
);

test(
  "Watcher gives a daemon up that does not answer in time, and tries again",
  async (client, world) => {
    const { url, token } = world;
    const { scope, round } = await newScope(client, world);
    await command(world, "freeze");
    const { watcher, connections } = watch(client, { url, token, scope, connectTimeoutMs: 150 });
    await until(() => connections.length >= 2, "two tries");
    equals(connections[0], "lost: no answer within 150 ms");
    await command(world, "thaw");
    await within(watcher.ready, "ready");
    equals(await round(), ["app"]);
    await watcher.stop();
  },
);

test("Watcher gives a connection up that is silent for two heartbeats", async (client, world) => {
  const { watcher, connections } = watch(client, { url: world.silentUrl, scope: "vm-7" });
  await within(watcher.ready, "ready");
  await until(() => connections.length >= 4, "made again");
  equals(connections.slice(0, 3), [
    "connected: as a new watcher",
    "lost: silent for 200 ms",
    "connected: as a new watcher",
  ]);
  watcher.disconnect();
});

test(
  "Watcher.check() tells whether all is confirmed, and makes a dead connection anew at once",
  async (client, world) => {
    const { url, token } = world;
    const { scope, round } = await newScope(client, world);
    const { watcher, connections } = watch(client, { url, token, scope });
    // Also while it is not connected yet.
    equals(await within(watcher.check(), "check"), true);
    equals(await round(), ["app"]);
    const known = connections.length;
    equals([await within(watcher.check(), "check"), connections.length], [true, known]);
    await command(world, "freeze");
    const checked = watcher.check(100);
    await until(() => connections.length > known, "given up");
    equals(connections[known], "lost: no answer to a check within 100 ms");
    await command(world, "thaw");
    equals(await within(checked, "check"), true);
    await watcher.stop();
    const late = await refusal(watcher.check(), "a check after the end");
    equals(late.message, "Cannot check: the watcher has ended");
  },
);

test(
  "Watcher of Node comes back over a unix socket and leaves nothing behind",
  async (client, world) => {
    const { runtime, socket } = world;
    if (!runtime.startsWith("node")) return;
    const { scope, round } = await newScope(client, world);
    const { watcher, connections, seen } = watch(client, { socket, scope });
    await within(watcher.ready, "ready");
    equals(await round(), ["app"]);
    await command(world, "kill");
    await command(world, "start");
    await until(() => connections.at(-1) === "connected: as the same watcher", "back");
    // The kernel says that it is the same process, so no operator is needed.
    equals([await round(), seen], [["app"], [1, 2]]);
    await watcher.stop();
  },
);

/**
 * Runs all of it.
 *
 * @param {Client} client
 * @param {World} world
 * @param {string} [only] Names that have this in them
 */
export async function run(client, world, only = "") {
  const results = [];
  for (const [name, fn] of CASES.filter(([name]) => name.includes(only))) {
    let failure;
    try {
      await within(fn(client, world), name, 45_000);
    } catch (error) {
      failure = String(error?.stack ?? error);
    }
    for (const watcher of watchers) watcher.disconnect();
    watchers.clear();
    results.push({ name, ...failure === undefined ? {} : { failure } });
  }
  return results;
}
