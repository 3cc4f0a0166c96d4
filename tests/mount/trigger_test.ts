import { assertEquals } from "@std/assert";
import { admin } from "../../src/access/tokens.ts";
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { Scopes } from "../../src/generations/scopes.ts";
import { Callers } from "../../src/mount/callers.ts";
import { OpenSysgenid } from "../../src/mount/files/sysgenid_file.ts";
import { MountJournal } from "../../src/mount/journal.ts";
import type { Call } from "../../src/mount/node.ts";
import { CollectedEvents } from "../support/events.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { MemoryPages } from "../support/page_folder.ts";

/** `_IO(0xE4, 3)`. */
const TRIGGER = 0xe403;

Deno.test("OpenSysgenid.ioctl(): a trigger that comes again after a restart is made once", async () => {
  const scopes = await Scopes.open({
    ledger: new MemoryLedger(),
    events: new CollectedEvents(),
    clock: systemClock,
    random: systemRandom,
    pages: new MemoryPages(),
  });
  const { scope } = await scopes.put("s", DEFAULT_OPTIONS);
  const process = { pid: 7, comm: "app", startTicks: "1", mount: "1", boot: "b" };
  const { id } = await scope.watchers.open("app-7", process, admin("test"));
  const steps = {
    text: "",
    read: () => steps.text,
    append: (text: string) => steps.text += text,
    replace: (text: string) => steps.text = text,
  };
  let journal = new MountJournal(steps, "one");
  const open = (): OpenSysgenid =>
    new OpenSysgenid({
      scope,
      watcher: {
        id,
        name: "app-7",
        owner: "test",
        pid: 7,
        comm: "app",
        startTicks: "1",
        ackedEpoch: "0",
      },
      callers: new Callers({ info: () => undefined }, 1000, []),
      clock: systemClock,
      changes: journal,
      backing: undefined,
      ownPage: undefined,
      wake: () => {},
      acked: () => {},
      onClose: () => {},
    });
  const call = (unique: bigint): Call => ({
    ...{ unique, uid: 1000, gid: 1000, pid: 7, node: 1n },
    signal: new AbortController().signal,
  });
  const first = open();
  assertEquals(await first.ioctl(TRIGGER, 0n, call(4n)), 0);
  assertEquals(scope.state.generation, 1);
  // The daemon dies before it answers, and the request comes again to the next one.
  journal = new MountJournal(steps, "one");
  const second = open();
  assertEquals(await second.ioctl(TRIGGER, 0n, call(4n)), 0);
  assertEquals(scope.state.generation, 1);
  // One that was noted and not carried out is.
  journal.begin(6n, String(scope.state.epoch));
  assertEquals(await second.ioctl(TRIGGER, 0n, call(6n)), 0);
  assertEquals(scope.state.generation, 2);
  // One that wants more than what somebody else has reached is carried out too.
  journal.begin(8n, String(scope.state.epoch - 1n));
  assertEquals(await second.ioctl(TRIGGER, 9n, call(8n)), 0);
  assertEquals(scope.state.generation, 9);
  first.close();
  second.close();
  await scopes.close();
});
