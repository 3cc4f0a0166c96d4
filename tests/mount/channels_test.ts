import { assertEquals } from "@std/assert";
import { missingMount, MountBench, Program, run } from "../support/mount.ts";
import { FAKE_PROGRAMS } from "../support/guest_engine.ts";
import { showing } from "../support/guest_files.ts";
import { testWhere } from "../support/skip.ts";

const FIRST = showing({ generation: 1, epoch: 1n, unique: "ab".repeat(16) });
const HELLO = {
  pfnLimit: 16,
  start: 0x1000n,
  load: [{ at: 0x1000n, bytes: FAKE_PROGRAMS.hello }],
};
/** Opens the file once, says so, and prints each count that it reads. */
const FOLLOW =
  `exec 3<"$0"; echo open; while dd bs=8 count=1 status=none <&3 | od -An -tu8; do :; done`;

testWhere(
  "channels: each open file has a count of its own, as eventfds have",
  missingMount(),
  async () => {
    await using bench = await MountBench.open();
    const { guest } = await bench.guests.create(
      { engine: "auto", name: "one", bare: HELLO },
      FIRST,
    );
    await guest.channels.attach(7n);
    const path = `${bench.folder}/guests/one/channels/7`;
    assertEquals((await run("ls", [`${bench.folder}/guests/one/channels`])).lines, ["7"]);
    const readNow = (): Promise<{ readonly lines: readonly string[] }> =>
      run("dd", [`if=${path}`, "iflag=nonblock", "bs=8", "count=1", "status=none"]);
    assertEquals((await readNow()).lines[0]?.includes("Resource temporarily unavailable"), true);
    using first = Program.start("sh", ["-c", FOLLOW, path]);
    using second = Program.start("sh", ["-c", FOLLOW, path]);
    assertEquals([await first.line(), await second.line()], ["open", "open"]);
    guest.channels.add([[7, 3]]);
    const counts = [await first.line(), await second.line()];
    assertEquals(counts.map((line) => Number(line)), [3, 3]);
    // What a client over HTTP takes, files have had already.
    guest.channels.take(7n, 3);
    guest.channels.add([[7, 2]]);
    assertEquals([Number(await first.line()), Number(await second.line())], [2, 2]);
    const short = await run("dd", [`if=${path}`, "bs=4", "count=1", "status=none"]);
    assertEquals(short.lines[0]?.includes("Invalid argument"), true);
  },
);
