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
import { setState } from "./guests.ts";
import { type Answer, hold, say, type Stage } from "./stage.ts";

const WATCH_MS = 30_000;
const UUID = "cat /proc/sys/kernel/random/uuid";
const CLONES = ["debian-1", "debian-2"] as const;

/** Puts a kernel and an initial root into a folder. It returns what is missing where it cannot. */
async function prepare(folder: string): Promise<string | undefined> {
  const debian = debianGuest();
  if (debian === undefined) return "there is no kernel; .ci/linux-guest fetches one";
  const page = await buildPageProgram();
  if (page === undefined) return "there is no C compiler for 32-bit x86";
  await Deno.copyFile(`${debian}/vmlinuz`, `${folder}/vmlinuz`);
  await Deno.writeFile(`${folder}/initrd`, debianInitrd(debian, reseedFiles(page)));
  return undefined;
}

/** Boots Debian's kernel, clones it, and shows that the barrier waits for what runs inside. */
export async function playLinux(stage: Stage): Promise<void> {
  const missing = await prepare(`${stage.folder}/linux`);
  if (missing !== undefined) return say(`\n# Linux guests are left out: ${missing}.`);
  say("\n# Debian's own kernel boots on the same engine, with a reseeder inside.");
  const inode = async (path: string): Promise<string> => {
    const json = { root: "linux", path, access: "ro", cache: "own", holder: "demo" };
    return (await stage.request("POST", "/v1/inodes", { json })).body.id;
  };
  const [kernel, initrd] = [await inode("vmlinuz"), await inode("initrd")];
  const made = await stage.request("POST", "/v1/guests", {
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
  const snapshot = await stage.request("POST", "/v1/guests/debian/snapshots", { headers: owner });
  hold(snapshot.status === 201, "it is paused and snapshotted");
  await cloneLinux(stage, snapshot.body.id);
}

async function cloneLinux(stage: Stage, snapshot: string): Promise<void> {
  say("\n# Two clones in one scope: the barrier is closed before they have run at all.");
  const scope = "debian-clones";
  const owners: Record<string, string>[] = [];
  for (const name of CLONES) {
    const clone = await stage.request("POST", "/v1/guests", { json: { name, scope, snapshot } });
    owners.push({ "innkeeper-owner": clone.body.ownerToken });
  }
  const barrier = (wait: number): Promise<Answer> =>
    stage.request("GET", `/v1/scopes/${scope}/barrier`, { headers: { prefer: `wait=${wait}` } });
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

/** Waits for the reseeder, which starts beside the shell: a snapshot must not come before. */
async function untilWatched(stage: Stage, scope: string): Promise<void> {
  let tracked = 0;
  for (let waitedMs = 0; tracked === 0 && waitedMs < WATCH_MS; waitedMs += 100) {
    await delay(100);
    const path = `/v1/scopes/${scope}`;
    ({ tracked } = (await stage.client.request<{ tracked: number }>("GET", path)).body);
  }
  hold(tracked > 0, "its reseeder watches the scope");
}

async function put(
  stage: Stage,
  name: string,
  state: string,
  owner?: Readonly<Record<string, string>>,
): Promise<void> {
  const answer = await setState(stage, name, state, owner);
  hold(answer.body.state === state, `${name} is ${state}`);
}

/** Opens the console of a guest for what it writes from now on. */
async function consoleOf(stage: Stage, name: string): Promise<GuestConsole> {
  const path = `/v1/guests/${name}/console`;
  const { headers } = await stage.client.read(path);
  const since = headers.get("innkeeper-console-end");
  return await new GuestConsole(stage.socket(CONSOLE_PROTOCOL, `${path}?since=${since}`)).opened();
}
