import { delay } from "@std/async";
import { CONSOLE_PROTOCOL, GuestConsole } from "../../src/client/mod.ts";
import {
  BOOT_MS,
  buildPageProgram,
  debianGuest,
  debianInitrd,
  PROMPT,
  QUICK,
  reseedFiles,
  shell,
} from "./debian_guest.ts";
import { type Answer, hold, say, type Stage } from "./stage.ts";

const WATCH_MS = 30_000;
const UUID = "cat /proc/sys/kernel/random/uuid";
const CLONES = ["debian-1", "debian-2"] as const;

/** A folder with a kernel and an initial root, to be a root of the daemon. */
interface LinuxImages extends AsyncDisposable {
  readonly folder: string;
}

/**
 * Prepares what the Linux part of the story boots.
 *
 * @returns Why it has to be left out, where something is missing
 */
export async function linuxImages(): Promise<LinuxImages | string> {
  const debian = debianGuest();
  if (debian === undefined) return "there is no kernel; .ci/linux-guest fetches one";
  const page = await buildPageProgram();
  if (page === undefined) return "there is no C compiler for 32-bit x86";
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-demo-linux-" });
  await Deno.copyFile(`${debian.folder}/${debian.kernel}`, `${folder}/vmlinuz`);
  await Deno.writeFile(`${folder}/initrd`, debianInitrd(debian, reseedFiles(page)));
  return {
    folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Boots Debian's kernel, clones it, and shows that the barrier waits for what runs inside. */
export async function playLinux(stage: Stage): Promise<void> {
  say("\n# Debian's own kernel boots on the same engine, with a reseeder inside.");
  const inode = async (path: string): Promise<string> => {
    const json = { root: "linux", path, access: "ro", cache: "own", holder: "demo" };
    return (await stage.ask("POST", "/v1/inodes", { json })).body.id;
  };
  const [kernel, initrd] = [await inode("vmlinuz"), await inode("initrd")];
  const made = await stage.ask("POST", "/v1/guests", {
    json: {
      name: "debian",
      linux: { memoryMiB: 128, kernel, initrd, commandLine: QUICK },
    },
  });
  hold(made.status === 201, "the guest is ready");
  const owner = { "innkeeper-owner": made.body.ownerToken };
  const console = await consoleOf(stage, "debian");
  await put(stage, "debian", "running", owner);
  await console.until(PROMPT, BOOT_MS);
  const version = await shell(console, "cat /proc/version");
  hold(version.startsWith("Linux version"), `its shell answers: ${version.slice(0, 40)}…`);
  await untilWatched(stage, "debian");
  await console.close();
  await put(stage, "debian", "paused", owner);
  const snapshot = await stage.ask("POST", "/v1/guests/debian/snapshots", { headers: owner });
  hold(snapshot.status === 201, "it is paused and snapshotted");
  await cloneLinux(stage, snapshot.body.id);
}

async function cloneLinux(stage: Stage, snapshot: string): Promise<void> {
  say("\n# Two clones in one scope: the barrier is closed before they have run at all.");
  const scope = "debian-clones";
  const owners: Record<string, string>[] = [];
  for (const name of CLONES) {
    const clone = await stage.ask("POST", "/v1/guests", { json: { name, scope, snapshot } });
    owners.push({ "innkeeper-owner": clone.body.ownerToken });
  }
  const barrier = (wait: number): Promise<Answer> =>
    stage.ask("GET", `/v1/scopes/${scope}/barrier`, { headers: { prefer: `wait=${wait}` } });
  const closed = await barrier(1);
  const late = closed.body.watchers.map(({ name }: { name: string }) => name).join(" and ");
  hold(closed.status === 409, `409: ${late} are late`);
  for (const [index, name] of CLONES.entries()) await put(stage, name, "running", owners[index]);
  const open = await barrier(60);
  hold(open.status === 204, "204: the hooks have run in both, and both have confirmed");
  const uuids: string[] = [];
  for (const name of CLONES) {
    const console = await consoleOf(stage, name);
    uuids.push(await shell(console, UUID));
    say(`  ${name} $ ${UUID}\n  ${uuids.at(-1)}`);
    await console.close();
  }
  hold(uuids[0] !== uuids[1], "their kernels draw different random numbers");
}

/** The reseeder starts beside the shell: a snapshot is of use once it watches. */
async function untilWatched(stage: Stage, scope: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < WATCH_MS; waitedMs += 100) {
    const answer = await fetch(`${stage.url}/v1/scopes/${scope}`, {
      headers: { authorization: `Bearer ${stage.token}` },
    });
    const { tracked } = await answer.json();
    if (tracked > 0) return hold(true, "its reseeder watches the scope");
    await delay(100);
  }
  hold(false, "its reseeder watches the scope");
}

async function put(
  stage: Stage,
  name: string,
  state: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const answer = await stage.ask("PUT", `/v1/guests/${name}/state`, { json: { state }, headers });
  hold(answer.body.state === state, `${name} is ${state}`);
}

/** The console for what comes from now on. */
async function consoleOf(stage: Stage, name: string): Promise<GuestConsole> {
  const path = `/v1/guests/${name}/console`;
  const headers = { authorization: `Bearer ${stage.token}` };
  const tail = await fetch(`${stage.url}${path}`, { headers });
  await tail.body?.cancel();
  const since = tail.headers.get("innkeeper-console-end");
  const url = `${stage.url.replace("http", "ws")}${path}?since=${since}`;
  const socket = new WebSocket(url, { protocols: [CONSOLE_PROTOCOL], headers });
  return await new GuestConsole(socket).opened();
}
