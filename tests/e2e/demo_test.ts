import { assert, assertEquals, assertStringIncludes } from "@std/assert";

/** Plays the demo in a folder of its own, which must be empty when it is over. */
async function play(...parts: readonly string[]): Promise<{ code: number; story: string }> {
  const folder = await Deno.makeTempDir();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "demo", ...parts],
    cwd: new URL("../..", import.meta.url),
    env: { TMPDIR: folder },
  }).output();
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), []);
  const story = new TextDecoder().decode(stdout);
  return { code, story: code === 0 ? story : story + new TextDecoder().decode(stderr) };
}

const curls = (story: string): number =>
  [...story.matchAll(/^\$ curl -s --unix-socket \$S /gm)].length;

Deno.test("deno task demo plays its story to the end, prints curl lines, and leaves nothing behind", async () => {
  const { code, story } = await play();
  assertEquals(code, 0, story);
  assert(curls(story) >= 18, story);
  assertStringIncludes(story, "409: sidecar is late");
  assertStringIncludes(story, "204: safe to route");
  const isLinuxPlayed = story.includes("✓ their kernels draw different random numbers");
  assert(isLinuxPlayed || story.includes("# Linux guests are left out: "), story);
});

for (
  const [part, step] of [
    ["generations", "204: safe to route"],
    ["devices", "character device 1:3 is /dev/null in sysfs"],
    ["inodes", "its first 16 bytes are read"],
    ["guests", "it is paused in the middle of its run"],
  ] as const
) {
  Deno.test(`deno task demo ${part} plays that part alone`, async () => {
    const { code, story } = await play(part);
    assertEquals(code, 0, story);
    assert(curls(story) >= 2, story);
    assertStringIncludes(story, `✓ ${step}\n\nEvery step held.`);
  });
}

Deno.test("deno task demo names its parts when there is no such part", async () => {
  const { code, story } = await play("nonsense");
  assertEquals(code, 1);
  assertStringIncludes(story, "generations, devices, inodes, guests, linux");
});
