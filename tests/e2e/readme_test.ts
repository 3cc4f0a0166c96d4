import { assert, assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { missingProgram, testWhere } from "../support/skip.ts";

const README = new URL("../../README.md", import.meta.url);

/** The chapter of this title, up to the next one. */
function chapter(title: string): string {
  const text = Deno.readTextFileSync(README);
  const start = text.indexOf(`\n## ${title}\n`);
  assert(start >= 0, `README.md has no chapter "${title}"`);
  return text.slice(start, text.indexOf("\n## ", start + 1));
}

testWhere(
  "README, Generations: each curl line answers the status that stands beside it",
  missingProgram("curl"),
  async () => {
    await using daemon = await Daemon.start();
    const lines = [...chapter("Generations").matchAll(/```sh\n(.*?)```/gs)]
      .flatMap(([, block = ""]) => block.split("\n"));
    const curls = lines.filter((line) => line.startsWith("curl "));
    assert(curls.length >= 10, `only ${curls.length} lines were found`);
    const variables = lines.filter((line) => /^V=/.test(line)).join("\n");
    for (const line of curls) {
      const status = /# (\d{3})\b/.exec(line)?.[1];
      const { stdout } = await new Deno.Command("sh", {
        args: [
          "-c",
          `${variables}\n${line.replace("curl ", `curl -sS -o /dev/null -w '%{http_code}\\n' `)}`,
        ],
        env: { S: daemon.socketPath },
        stderr: "null",
      }).output();
      const [answered, ...rest] = new TextDecoder().decode(stdout).trim().split("\n");
      assertEquals([line, answered], [line, status]);
      assertEquals(rest, line.includes("&& echo") ? ["go on"] : []);
    }
  },
);

Deno.test("README, Generations: every test that it names is there", () => {
  const files = [...chapter("Generations").matchAll(/`(tests\/[a-z0-9_/.]+)`/g)];
  assert(files.length > 10);
  for (const [, file = ""] of files) {
    assert(Deno.statSync(new URL(file, README)).isFile, file);
  }
});
