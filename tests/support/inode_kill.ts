import { assert, assertEquals } from "@std/assert";
import { JournalFiles } from "../../src/storage/journal_file.ts";
import { HostStore, pattern } from "./inode_store.ts";
import { SeededRandom } from "./random.ts";

const WRITER = new URL("./inode_writer.ts", import.meta.url);
/** A write of at most three pages may be under way when the process dies. */
const IN_FLIGHT_BYTES = 3 * 4096;

/** How a round ends. */
interface KillOptions {
  /** The writer kills itself when it has dirty bytes. Otherwise it is killed whatever it does. */
  readonly isDirty?: boolean;
}

/** Runs the writer until it is killed after some acknowledged writes, and returns those. */
async function acknowledged(
  host: HostStore,
  seed: number,
  afterWrites: number,
  { isDirty = false }: KillOptions,
): Promise<readonly string[]> {
  const writer = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--cached-only",
      "--no-check",
      WRITER.href,
      host.folder,
      host.state,
      String(seed),
      ...(isDirty ? [String(afterWrites)] : []),
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  let isKilled = isDirty;
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

/**
 * Kills a process that writes to an inode, recovers, and compares the file with every write that
 * was acknowledged.
 *
 * @returns How many files had dirty bytes that were restored
 */
export async function killRound(seed: number, options: KillOptions = {}): Promise<number> {
  const random = new SeededRandom(seed);
  await using host = new HostStore();
  const lines = await acknowledged(host, seed, 20 + random.below(150), options);
  assert(lines.length >= 20);
  assertEquals((await new JournalFiles(`${host.state}/inodes`).left()).length, 1);
  const all = await host.store.recover();
  // A record may be torn by the kill: nobody was told of what it says.
  const recovered = all.filter(({ outcome }) =>
    outcome !== "journal-cut" && outcome !== "set-aside"
  );
  for (const { outcome, reason } of recovered) assertEquals(outcome, "restored", reason);
  const found = await Deno.readFile(host.path("f"));
  const wanted = new Uint8Array(found.byteLength);
  for (const line of lines) {
    const [offset = 0, length = 0, salt = 0] = line.split(" ").map(Number);
    assert(offset + length <= found.byteLength, `seed ${seed}: the file lacks ${line}`);
    wanted.set(pattern(length, salt), offset);
  }
  // One more write may have been under way: it may be there in part, and nothing else may. A writer
  // that killed itself had none under way.
  const inFlightBytes = options.isDirty ? 0 : IN_FLIGHT_BYTES;
  const first = wanted.findIndex((byte, at) => byte !== found[at]);
  const last = wanted.findLastIndex((byte, at) => byte !== found[at]);
  assert(
    first < 0 || last - first < inFlightBytes,
    `INNKEEPER_TEST_SEED=${seed}: bytes ${first} to ${last} differ`,
  );
  return recovered.length;
}
