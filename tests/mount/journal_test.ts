import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MOUNT_JOURNAL_LINES_MAX } from "../../src/core/limits.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { MountJournal } from "../../src/mount/journal.ts";

/** Steps in memory. */
class Steps {
  text = "";
  replaced = 0;

  read(): string {
    return this.text;
  }

  append(text: string): void {
    this.text += text;
  }

  replace(text: string): void {
    this.text = text;
    this.replaced++;
  }
}

const WATCHER = {
  id: "w-1",
  name: "app-7",
  owner: "uid:0",
  pid: 7,
  comm: "app",
  startTicks: "100",
  ackedEpoch: "0",
};

function contentOf({ nodes, handles, backings, begun }: MountJournal): unknown {
  return [[...nodes], [...handles], [...backings], [...begun]];
}

const number = fc.bigInt({ min: 1n, max: 9n });
const step: fc.Arbitrary<(journal: MountJournal) => void> = fc.oneof(
  fc.tuple(number, fc.string()).map(([node, path]) => (one: MountJournal) => {
    // No number of a node is used twice.
    const isUsed = one.nodes.has(node) || [...one.handles.values()].some((at) => at.node === node);
    if (!isUsed) one.node(node, path, 3);
  }),
  number.map((node) => (one: MountJournal) => one.looked(node)),
  fc.tuple(number, number).map(([node, count]) => (one: MountJournal) => one.forgot(node, count)),
  fc.tuple(number, number).map(([handle, node]) => (one: MountJournal) =>
    one.opened(handle, node, { backing: 5, ownPage: "/p", watcher: WATCHER })
  ),
  fc.tuple(number, number).map(([handle, poll]) => (one: MountJournal) => one.polled(handle, poll)),
  fc.tuple(number, number).map(([handle, epoch]) => (one: MountJournal) =>
    one.acked(handle, epoch)
  ),
  number.map((handle) => (one: MountJournal) => one.closed(handle)),
  fc.tuple(fc.string(), fc.nat(9)).map(([page, id]) => (one: MountJournal) =>
    one.backing(page, id)
  ),
  fc.tuple(number, number).map(([unique, mark]) => (one: MountJournal) =>
    one.begin(unique, String(mark))
  ),
  number.map((unique) => (one: MountJournal) => one.done(unique)),
);

Deno.test("MountJournal: the next process knows what this one knew, however often it changes", () => {
  fc.assert(fc.property(fc.array(fc.array(step)), (lives) => {
    const file = new Steps();
    let known = new MountJournal(file, "one");
    for (const [index, steps] of lives.entries()) {
      assertEquals(known.epoch, index + 1);
      for (const act of steps) act(known);
      const next = new MountJournal(file, "one");
      assertEquals(contentOf(next), contentOf(known));
      known = next;
    }
  }));
});

Deno.test("MountJournal: a last line that was cut short is as if it had not come", () => {
  const file = new Steps();
  const journal = new MountJournal(file, "one");
  journal.node(2n, "/scopes", 0);
  const { text } = file;
  journal.opened(3n, 2n, { backing: 1, watcher: WATCHER });
  for (let length = text.length; length < file.text.length - 1; length++) {
    const torn = new Steps();
    torn.text = file.text.slice(0, length);
    const next = new MountJournal(torn, "one");
    assertEquals([[...next.nodes.keys()], [...next.handles.keys()]], [[2n], []], `${length}`);
  }
});

Deno.test("MountJournal: what another mount has noted is nothing to this one", () => {
  const file = new Steps();
  new MountJournal(file, "one").node(2n, "/scopes", 0);
  const next = new MountJournal(file, "two");
  assertEquals([next.epoch, next.nodes.size], [1, 0]);
  assertEquals(new MountJournal(file, "two").epoch, 2);
});

Deno.test("MountJournal: it does not grow with the time", () => {
  const file = new Steps();
  const journal = new MountJournal(file, "one");
  for (let node = 2n; node < 2n + BigInt(3 * MOUNT_JOURNAL_LINES_MAX); node++) {
    journal.node(node, "/scopes/s/sysgenid", 7);
    journal.forgot(node, 1n);
  }
  assertEquals(journal.nodes.size, 0);
  assert(file.text.split("\n").length <= MOUNT_JOURNAL_LINES_MAX + 2, `${file.text.length}`);
  assert(file.replaced >= 3);
});

Deno.test("MountJournal: what could not be written is written as soon as there is room again", () => {
  const file = new Steps();
  const journal = new MountJournal(file, "one");
  journal.node(2n, "/scopes", 0);
  const { append, replace } = file;
  file.append = file.replace = () => {
    throw new SystemError("ENOSPC", "write", "the journal");
  };
  journal.opened(3n, 2n, { backing: 1 });
  journal.closed(3n);
  journal.opened(4n, 2n, { backing: 1 });
  Object.assign(file, { append, replace });
  journal.looked(2n);
  assertEquals(contentOf(new MountJournal(file, "one")), contentOf(journal));
  assertEquals([...journal.handles.keys()], [4n]);
});
