import { assert, assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import { storeVmclock, vmclockBytes } from "../../src/generations/vmclock_page.ts";
import { Daemon } from "../support/daemon.ts";
import { missingProgram, testWhere } from "../support/skip.ts";

/** A folder that looks like a host with both counters, and how they change. */
async function host(): Promise<{ folder: string; clock: (to: bigint) => void; args: string[] }> {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/dev`);
  const path = `${folder}/dev/vmclock0`;
  const page = new Uint8Array(4096);
  page.set(vmclockBytes(3n));
  await Deno.writeFile(path, page);
  await Deno.writeFile(`${folder}/dev/sysgenid`, sysgenidBytes(0));
  const clock = (to: bigint): void => {
    using file = Deno.openSync(path, { read: true, write: true });
    storeVmclock({
      path,
      bytes: () => Deno.readFileSync(path),
      store(stores) {
        for (const [offset, word] of stores) {
          file.seekSync(offset, Deno.SeekMode.Start);
          file.writeSync(new Uint8Array(BigUint64Array.of(word).buffer));
        }
      },
      shows: () => true,
      close: () => {},
    }, to);
  };
  return { folder, clock, args: ["--host-root", folder] };
}

Deno.test("a host's vmclock and sysgenid are mirrored into scope system, also over a kill -9", async () => {
  const { folder, clock, args } = await host();
  const first = await Daemon.start({ args });
  const epoch = async (daemon: Daemon): Promise<[epoch: string, reason: string]> => {
    const scope = await daemon.json(200, "GET", "/v1/scopes/system");
    return [scope.epoch, scope.reason];
  };
  const reaches = (daemon: Daemon, to: [epoch: string, reason: string]) =>
    retry(async () => assertEquals(await epoch(daemon), to), {
      minTimeout: 10,
      maxTimeout: 50,
      maxAttempts: 200,
    });
  assertEquals((await epoch(first))[0], "0");
  clock(4n);
  await reaches(first, ["1", "/dev/vmclock0 shows generation 4"]);
  await Deno.writeFile(`${folder}/dev/sysgenid`, sysgenidBytes(9));
  await reaches(first, ["2", "/dev/sysgenid shows generation 9"]);
  await first.stop("SIGKILL");
  clock(5n);
  const second = await Daemon.start({ folder: first.folder, args });
  assertEquals(await epoch(second), ["3", "/dev/vmclock0 shows generation 5"]);
  await Deno.truncate(`${folder}/dev/vmclock0`, 0);
  await retry(async () => {
    assert((await second.events()).some(({ kind }) => kind === "host-source.failed"));
  }, { minTimeout: 20, maxTimeout: 100, maxAttempts: 100 });
  assertEquals((await epoch(second))[0], "3");
  assertEquals(await second.stop(), 0);
  await Deno.remove(folder, { recursive: true });
});

function missing(): string | undefined {
  return Deno.uid() === 0 ? missingProgram("mount") : "mounting wants root";
}

testWhere(
  "a daemon whose own page stands at /dev/sysgenid does not follow itself",
  missing(),
  async () => {
    const { folder, args } = await host();
    const first = await Daemon.start({ args });
    await first.stop();
    const device = `${folder}/dev/sysgenid`;
    await using cleanUp = new AsyncDisposableStack();
    await run("mount", "--bind", `${first.pageFolder}/system/sysgenid`, device);
    cleanUp.defer(async () => {
      await run("umount", device);
      await Deno.remove(folder, { recursive: true });
    });
    await using second = await Daemon.start({ folder: first.folder, args });
    await second.json(201, "POST", "/v1/scopes/system/bumps", { reason: "restore" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    assertEquals((await second.json(200, "GET", "/v1/scopes/system")).epoch, "1");
    assert(second.log.includes("not followed"), second.log);
  },
);

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert(success, new TextDecoder().decode(stderr));
}
