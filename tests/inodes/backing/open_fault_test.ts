import { assertEquals } from "@std/assert";
import { NotRegularFileError, SystemError } from "../../../src/core/system_error.ts";
import { openFault } from "../../../src/inodes/backing/open_fault.ts";

Deno.test("openFault() calls only what is known to be no regular file so", () => {
  assertEquals(openFault(new NotRegularFileError("openat2", "f"), "f").code, "not-a-file");
  assertEquals(openFault(new SystemError("EISDIR", "openat2", "f"), "f").code, "not-a-file");
  assertEquals(openFault(new SystemError("EINVAL", "openat2", "f"), "f").code, "value-not-allowed");
});
