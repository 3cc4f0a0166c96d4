import { assertEquals } from "@std/assert";
import { MIB } from "../../src/core/limits.ts";
import { SpoolFiles } from "../../src/storage/spool_files.ts";
import { pattern } from "../support/inode_store.ts";

Deno.test("Spool gives back in parts what was appended, and leaves no file", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const spool = await new SpoolFiles(`${folder}/spool`).create();
    const content = pattern(3 * MIB + 9);
    for (let at = 0; at < content.length; at += 700_001) {
      await spool.append(content.subarray(at, at + 700_001));
    }
    assertEquals(spool.byteLength, content.length);
    assertEquals([...Deno.readDirSync(`${folder}/spool`)], []);
    for (let round = 0; round < 2; round++) {
      const found = new Uint8Array(content.length);
      let at = 0;
      for await (const part of spool.parts()) {
        found.set(part, at);
        at += part.byteLength;
      }
      assertEquals(at, content.length);
      assertEquals(found, content);
    }
    spool.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
