import { assert, assertEquals } from "@std/assert";
import { LogSums } from "../../src/cli/log_sums.ts";
import { LogWriter } from "../../src/cli/log_writer.ts";
import { LOG_REPEATS_MAX, LOG_SUM_MS, LOG_WAITING_BYTES_MAX } from "../../src/core/limits.ts";
import { FakeClock } from "../support/clock.ts";

Deno.test("LogWriter: who does not read holds nothing up, and learns what was dropped", async () => {
  const written: string[] = [];
  const reading = Promise.withResolvers<void>();
  const writer = new LogWriter({
    async write(bytes) {
      await reading.promise;
      const part = bytes.subarray(0, 1000);
      written.push(new TextDecoder().decode(part));
      return part.byteLength;
    },
  }, (count) => `dropped ${count}\n`);
  const line = `${"a".repeat(1023)}\n`;
  const fitting = LOG_WAITING_BYTES_MAX / line.length;
  for (let n = 0; n < fitting + 7; n++) writer.write(line);
  reading.resolve();
  await writer.flush();
  const lines = written.join("").split("\n");
  assertEquals(lines.filter((text) => text.startsWith("a")).length, fitting);
  assertEquals(lines.filter((text) => text.startsWith("dropped")), ["dropped 7"]);
  writer.write("after\n");
  await writer.flush();
  assert(written.join("").endsWith("after\n"));
});

Deno.test("LogWriter: a stream that is closed is no error", async () => {
  const writer = new LogWriter(
    { write: () => Promise.reject(new Deno.errors.BrokenPipe("closed")) },
    () => "dropped\n",
  );
  writer.write("a\n");
  await writer.flush();
  writer.write("b\n");
  await writer.flush();
});

Deno.test("LogSums: the first lines of a kind are written, the others summed up", () => {
  const clock = new FakeClock();
  const said: [string, number][] = [];
  const sums = new LogSums(clock, (kind, count) => said.push([kind, count]));
  const passed = Array.from({ length: 1000 }, () => sums.passes("401")).filter(Boolean).length;
  assertEquals([passed, sums.passes("403")], [LOG_REPEATS_MAX, true]);
  clock.advance(LOG_SUM_MS);
  assertEquals(said, [["401", 1000 - LOG_REPEATS_MAX]]);
  assertEquals(sums.passes("401"), true);
});
