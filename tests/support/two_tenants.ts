import { assertEquals } from "@std/assert";
import { Daemon } from "./daemon.ts";
import { HELLO } from "./guest_programs.ts";
import { SeededRandom } from "./random.ts";
import { collectIds, Maker, type Operation, operationsOf, requestOf } from "./request_maker.ts";

const HANG_MS = 20_000;
const AT_ONCE = 4;
/** Names of a third one, who stands still: nothing of its may change. */
const VICTIM = "qv-";
/** Prefixes of what each tenant may name, and principals of the same names. */
const TENANTS = ["qa-", "qb-"] as const;
/** A name that nobody but its tenant is given, so that it proves a leak where another is shown it. */
const secretOf = (prefix: string): string => `${prefix}hidden`;

// deno-lint-ignore no-explicit-any -- answers are read as they come
type Json = any;

const grantsOf = (prefix: string): string =>
  [
    ...["read", "watch", "bump", "write", "guest", "irq"].map((one) => `${one}:${prefix}*`),
    ...["guests", "sandboxes", "roots"].map((kind) => `read:${kind}/${prefix}*`),
    ...["sandboxes", "roots"].map((kind) => `write:${kind}/${prefix}*`),
  ].join();

/** How the tenants play. */
interface Play {
  /** Requests of each. */
  readonly requests: number;
  readonly seed: number;
  /** A grant that the first tenant has by mistake: what it does must be found. */
  readonly hole?: string | undefined;
}

class Tenant {
  readonly #maker: Maker;
  readonly #owners: string[] = [];
  good = 0;

  constructor(
    readonly prefix: string,
    readonly random: SeededRandom,
    schemas: Record<string, unknown>,
    others: readonly string[],
  ) {
    const own = ["1", "2", "3", "root", "hidden"].map((name) => `${prefix}${name}`);
    // Its own names most of all, so that much gets through.
    const names = [...own, ...own, ...own, ...others, "system", "a", "0"];
    this.#maker = new Maker(random, schemas, [...others], names);
  }

  /** Sends one request. @returns What is wrong with its answer */
  async send(daemon: Daemon, operation: Operation, foreign: RegExp): Promise<string | undefined> {
    const { path, init } = requestOf(operation, this.#maker);
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer secret-${this.prefix}`);
    if (this.#owners.length > 0 && this.random.below(2) === 0) {
      headers.set("innkeeper-owner", this.random.pick(this.#owners));
    }
    const what = `${this.prefix} ${init.method} ${path} ${String(init.body).slice(0, 300)}`;
    const signal = AbortSignal.timeout(HANG_MS);
    const response = await fetch(`${daemon.url}${path}`, { ...init, headers, signal })
      .catch((error) => error as Error);
    if (response instanceof Error) return `${what}: ${response}`;
    const text = await response.text();
    if (response.status === 500) return `${what}: ${text}`;
    const shown = foreign.exec(text)?.[0];
    if (shown !== undefined) return `${what}: is shown ${shown}: ${text.slice(0, 300)}`;
    if (response.status < 300) this.good++;
    if (response.ok && response.headers.get("content-type")?.endsWith("json") === true) {
      const answer = JSON.parse(text);
      collectIds(answer, this.#maker.ids);
      if (typeof answer?.ownerToken === "string") this.#owners.push(answer.ownerToken);
    }
    return undefined;
  }
}

class Stage {
  readonly #owners = new Map<string, string>();
  readonly #ids = new Map<string, Record<string, string>>();

  constructor(readonly daemon: Daemon) {}

  async as(
    token: string,
    method: string,
    path: string,
    json?: unknown,
    headers = {},
  ): Promise<Json> {
    const response = await fetch(`${this.daemon.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...headers,
        ...json === undefined ? {} : { "content-type": "application/json" },
      },
      body: json === undefined ? null : JSON.stringify(json),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    return text.startsWith("{") ? JSON.parse(text) : text;
  }

  /** Makes what belongs to one, in every part of the product. @returns The ids of it */
  async provide(prefix: string): Promise<readonly string[]> {
    const token = `secret-${prefix}`;
    const name = secretOf(prefix);
    const load = [{ at: 4096, bytes: HELLO.toBase64() }];
    await this.as(token, "PUT", `/v1/scopes/${name}`, {});
    const watcher = { track: true, leaseMs: 3_600_000, name: secretOf(prefix) };
    await this.as(token, "PUT", `/v1/scopes/${name}/watchers/w`, watcher);
    await this.as(token, "POST", `/v1/scopes/${name}/bumps`, { reason: secretOf(prefix) });
    const guest = { name, scope: name, bare: { pfnLimit: 16, start: 4096, load } };
    const { ownerToken } = await this.as(token, "POST", "/v1/guests", guest);
    this.#owners.set(prefix, ownerToken);
    const owner = { "innkeeper-owner": ownerToken };
    await this.as(token, "PUT", `/v1/guests/${name}/state`, { state: "paused" }, owner);
    const snapshot = await this.as(token, "POST", `/v1/guests/${name}/snapshots`, undefined, owner);
    const device = await this.as(token, "POST", "/v1/devices", {
      ...{ containerPath: "/dev/null", type: "c", major: 1, minor: 3, sandbox: name },
    });
    const inode = await this.as(token, "POST", "/v1/inodes", {
      ...{
        root: `${prefix}root`,
        path: secretOf(prefix),
        access: "rw",
        cache: "own",
        holder: name,
      },
    });
    const ids = { snapshot: snapshot.id, device: device.id, inode: inode.id };
    this.#ids.set(prefix, ids);
    return Object.values(ids);
  }

  /** What one has, as an admin sees it, without what changes by itself. */
  async stateOf(prefix: string): Promise<Json> {
    const name = secretOf(prefix);
    const headers = { "innkeeper-owner": this.#owners.get(prefix) ?? "" };
    const { snapshot, device, inode } = this.#ids.get(prefix) ?? {};
    const get = (path: string): Promise<Json> =>
      this.as("all", "GET", path, undefined, headers).catch((error) => String(error));
    const { seq: _, ...watchers } = await get(`/v1/scopes/${name}/watchers`);
    const { holders, size, modificationTime, links } = await get(`/v1/inodes/${inode}`);
    return {
      scope: await get(`/v1/scopes/${name}`),
      watchers,
      history: await get(`/v1/scopes/${name}/history`),
      guest: await get(`/v1/guests/${name}`),
      registers: await get(`/v1/guests/${name}/registers`),
      memory: await get(`/v1/guests/${name}/memory`),
      snapshot: await get(`/v1/snapshots/${snapshot}`),
      device: await get(`/v1/devices/${device}`),
      inode: {
        holders,
        size,
        modificationTime,
        links,
        data: await get(`/v1/inodes/${inode}/data`),
      },
    };
  }

  /** What there is that no tenant was permitted to make, or that another one has touched. */
  async strays(): Promise<string[]> {
    const found: string[] = [];
    const prefixes = [VICTIM, ...TENANTS];
    const list = async (path: string): Promise<Json[]> => {
      const { items } = await this.as("all", "GET", `${path}?limit=1000`);
      return items;
    };
    for (const { name } of await list("/v1/scopes")) {
      const owner = prefixes.find((prefix) => name.startsWith(prefix));
      if (owner === undefined && name !== "system") found.push(`scope ${name} is nobody's`);
      const { items } = await this.as("all", "GET", `/v1/scopes/${name}/history`);
      for (const { by } of items) {
        if (by !== "innkeeper" && by !== owner) found.push(`scope ${name} was bumped by ${by}`);
      }
      for (const { owner: whose = "" } of await list(`/v1/scopes/${name}/watchers`)) {
        if (whose !== owner && !whose.startsWith(`guest:${owner}`)) {
          found.push(`scope ${name} has a watcher of ${whose}`);
        }
      }
    }
    for (const { id, scope } of await list("/v1/guests")) {
      const owner = prefixes.find((prefix) => id.startsWith(prefix));
      if (owner === undefined || !scope.startsWith(owner)) found.push(`guest ${id} is in ${scope}`);
    }
    return found;
  }
}

/**
 * Two tenants with disjoint prefixes play the whole product at the same time, each with requests that
 * are almost right, for its own things and for those of the other and of a third who stands still.
 *
 * @returns What one has learned or changed of another, or how it was held up; nothing when all is well
 */
export async function playTwoTenants({ requests, seed, hole }: Play): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  const all = [VICTIM, ...TENANTS];
  for (const prefix of all) {
    await Deno.mkdir(`${folder}/${prefix}root`);
    await Deno.writeTextFile(`${folder}/${prefix}root/${secretOf(prefix)}`, secretOf(prefix));
    await Deno.writeTextFile(`${folder}/${prefix}root/a`, "a".repeat(5000));
  }
  const lines = all.map((prefix) => {
    const more = hole !== undefined && prefix === TENANTS[0] ? `,${hole}` : "";
    return `secret-${prefix} name=${prefix} ${grantsOf(prefix)}${more}`;
  });
  await Deno.writeTextFile(`${folder}/tokens`, ["all", ...lines].join("\n"));
  const roots = all.flatMap((prefix) => ["--root", `${prefix}root=${folder}/${prefix}root`]);
  await using daemon = await Daemon.start({
    folder,
    args: ["--token-file", `${folder}/tokens`, ...roots],
  });
  const stage = new Stage(daemon);
  const ids = await stage.provide(VICTIM);
  const before = await stage.stateOf(VICTIM);
  const document = await (await fetch(`${daemon.url}/openapi.json`)).json();
  const operations = operationsOf(document);
  const found: string[] = [];
  const tenants = TENANTS.map((prefix, index) => {
    const random = new SeededRandom(seed + index);
    // It knows of the others' things by their exact names and ids, and must not get at them.
    const others = [...all.filter((one) => one !== prefix).map((one) => `${one}1`), ...ids];
    return new Tenant(prefix, random, document.components?.schemas ?? {}, others);
  });
  const work = async (tenant: Tenant, count: number): Promise<void> => {
    const others = all.filter((one) => one !== tenant.prefix).map(secretOf);
    const foreign = new RegExp(others.join("|"));
    for (let sent = 0; sent < count && found.length < 20; sent++) {
      const operation = tenant.random.pick(operations);
      const wrong = await tenant.send(daemon, operation, foreign);
      if (wrong !== undefined) found.push(wrong);
    }
  };
  await Promise.all(
    tenants.flatMap((tenant) =>
      Array.from({ length: AT_ONCE }, () => work(tenant, Math.ceil(requests / AT_ONCE)))
    ),
  );
  const after = await stage.stateOf(VICTIM);
  for (const part of Object.keys(before)) {
    if (JSON.stringify(before[part]) !== JSON.stringify(after[part])) {
      found.push(`${part} of the third one has become ${JSON.stringify(after[part])}`);
    }
  }
  found.push(...await stage.strays());
  for (const { prefix, good } of tenants) {
    if (good < requests / 100) found.push(`${prefix} got only ${good} requests through`);
  }
  assertEquals(await daemon.stop(), 0, `seed ${seed}: ${daemon.log.slice(-1000)}`);
  return found;
}
