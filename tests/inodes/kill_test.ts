import { assert, assertEquals } from "@std/assert";
import { JournalFiles } from "../../src/storage/journal_file.ts";
import { HostStore, pattern } from "../support/inode_store.ts";
import { SeededRandom, testSeed } from "../support/random.ts";

const ROUNDS = 6;
const WRITER = new URL("../support/inode_writer.ts", import.meta.url);

/** Runs the writer, kills it after some acknowledged writes, and returns those. */
async function acknowledged(
  host: HostStore,
  seed: number,
  afterWrites: number,
): Promise<readonly string[]> {
  const writer = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cached-only", WRITER.href, host.folder, host.state, String(seed)],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  let isKilled = false;
  for await (const chunk of writer.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (!isKilled && text.split("\n").length > afterWrites) {
      isKilled = true;
      writer.kill("SIGKILL");
    }
  }
  assertEquals((await writer.status).signal, "SIGKILL");
  // The last line may be cut: what it would say was acknowledged, but nobody heard it whole.
  return text.split("\n").slice(0, -1);
}

Deno.test("InodeStore.recover() has every byte that was acknowledged before kill -9", async () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  let restored = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using host = new HostStore();
    const lines = await acknowledged(host, seed + round, 20 + random.below(150));
    assert(lines.length >= 20);
    const left = await new JournalFiles(`${host.state}/inodes`).left();
    assertEquals(left.length, 1);
    const recovered = await host.store.recover();
    for (const { outcome, reason } of recovered) assertEquals(outcome, "restored", reason);
    restored += recovered.length;
    const found = await Deno.readFile(host.path("f"));
    const wanted = new Uint8Array(found.byteLength);
    for (const line of lines) {
      const [offset = 0, length = 0, salt = 0] = line.split(" ").map(Number);
      assert(offset + length <= found.byteLength, `seed ${seed}: the file lacks ${line}`);
      wanted.set(pattern(length, salt), offset);
    }
    // One more write may have been under way: it may be there in part, and nothing else may.
    const differs = wanted.findIndex((byte, at) => byte !== found[at]);
    const last = wanted.findLastIndex((byte, at) => byte !== found[at]);
    assert(
      differs < 0 || last - differs < 3 * 4096,
      `INNKEEPER_TEST_SEED=${seed}, round ${round}: bytes ${differs} to ${last} differ`,
    );
  }
  assert(restored > 0, "no round left any dirt: this test tests nothing");
});
