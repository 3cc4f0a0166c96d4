import { assert, assertEquals, assertStringIncludes } from "@std/assert";

Deno.test("deno task demo plays its story to the end, prints curl lines, and leaves nothing behind", async () => {
  const folder = await Deno.makeTempDir();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "demo"],
    cwd: new URL("../..", import.meta.url),
    env: { TMPDIR: folder },
  }).output();
  const story = new TextDecoder().decode(stdout);
  assertEquals(code, 0, story + new TextDecoder().decode(stderr));
  assert([...story.matchAll(/^\$ curl -s --unix-socket \$S /gm)].length >= 18, story);
  assertStringIncludes(story, "409: sidecar is late");
  assertStringIncludes(story, "204: safe to route");
  const isLinuxPlayed = story.includes("✓ their kernels draw different random numbers");
  assert(isLinuxPlayed || story.includes("# Linux guests are left out: "), story);
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), []);
});
