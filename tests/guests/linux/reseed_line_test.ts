import { assertEquals } from "@std/assert";
import { RESEED_LINE_BYTES_MAX, RESEED_REPLIES_MAX } from "../../../src/core/limits.ts";
import { ReseedLine, type ReseedRequest } from "../../../src/guests/linux/reseed_line.ts";

const IDENTITY = { generation: 7, epoch: 12n, unique: "ab".repeat(16) };
const GENERATION = `generation 7 12 ${IDENTITY.unique}`;

/** A line whose guest takes what it is sent when `take` is called; at once without it. */
function bench(waits = false) {
  const said: string[] = [];
  const requests: ReseedRequest[] = [];
  const takes: (() => void)[] = [];
  const line = new ReseedLine((bytes) => {
    said.push(new TextDecoder().decode(bytes).trimEnd());
    return waits ? new Promise((resolve) => takes.push(resolve)) : Promise.resolve();
  });
  line.onRequest((request) => requests.push(request));
  const guest = (text: string): void => line.append(new TextEncoder().encode(text));
  const take = async (): Promise<void> => {
    takes.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return { line, said, requests, guest, take };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("ReseedLine reads requests, in whatever pieces they come", async () => {
  const { said, requests, guest } = bench();
  for (const letter of "watch reseed\nack 7 12\r\n\nfail 7 10-app ended with 1\n") guest(letter);
  await settled();
  assertEquals(requests, [
    { word: "watch", name: "reseed" },
    { word: "ack", generation: 7, epoch: 12n },
    { word: "fail", generation: 7, reason: "10-app ended with 1" },
  ]);
  assertEquals(said, ["watching reseed"]);
});

Deno.test("ReseedLine refuses what is no request, and goes on", async () => {
  const { said, requests, guest } = bench();
  const bad = ["watch", "watch UPPER", "watch a b", "ack 7", "ack x 1", "ack -1 1", "ack 07 1"];
  for (const text of [...bad, "fail 7", "hello", "generation 7 12 x"]) guest(`${text}\n`);
  guest(`fail 7 ${"x".repeat(RESEED_LINE_BYTES_MAX)}\n`);
  guest("ack 1 2\n");
  await settled();
  assertEquals(requests, [{ word: "ack", generation: 1, epoch: 2n }]);
  assertEquals(said.at(-1), "error the line is too long");
  assertEquals(said.filter((text) => text === "error no such request").length, 10);
});

Deno.test("ReseedLine says only the newest generation to a guest that was slow to read", async () => {
  const { line, said, take } = bench(true);
  line.generation({ ...IDENTITY, generation: 5 });
  line.generation({ ...IDENTITY, generation: 6 });
  line.generation(IDENTITY);
  assertEquals(said.length, 1);
  await take();
  assertEquals(said, [said[0] ?? "", GENERATION]);
  line.generation(IDENTITY);
  line.taken(7);
  await take();
  assertEquals(said.at(-1), "taken 7");
});

Deno.test("ReseedLine keeps a bounded number of replies for a guest that does not read", async () => {
  const { said, guest, take } = bench(true);
  for (let round = 0; round < 100; round++) guest("what\n");
  for (let round = 0; round < 100; round++) await take();
  assertEquals(said.length, RESEED_REPLIES_MAX + 1);
});

Deno.test("ReseedLine goes on in a clone in the middle of a line", () => {
  const { line, guest } = bench();
  guest("watch reseed\nack 7 ");
  const clone = bench();
  clone.line.image = line.image;
  assertEquals(clone.line.watching, "reseed");
  clone.guest("12\n");
  assertEquals(clone.requests, [{ word: "ack", generation: 7, epoch: 12n }]);
});
