import { assert, assertEquals } from "@std/assert";
import { grantsOf } from "../../src/cli/grants.ts";
import { parseConfig } from "../support/config.ts";

function grants(...args: string[]): Record<string, string[]> {
  const config = parseConfig(["--state", "/s", "--run", "/r", ...args], {
    env: () => undefined,
    cwd: () => "/cwd",
    isRoot: () => false,
  });
  return Object.fromEntries(
    grantsOf(config, "/app", "/lib/libc.so.6").map((flag) => {
      const [name = "", values = ""] = flag.replace("--allow-", "").split("=");
      return [name, values.split(",")];
    }),
  );
}

Deno.test("grantsOf() names what the flags name, and nothing wider", () => {
  const given = grants("--listen", "unix:/x/s.sock", "--listen", "[::1]:0", "--token-file", "/t");
  assertEquals(given["read"], ["/app", "/s", "/r", "/t", "/x/s.sock", "/x"]);
  assertEquals(given["write"], ["/s", "/r", "/x/s.sock", "/x"]);
  assertEquals(given["net"], ["unix:/x/s.sock", "[::1]:0", "unix:/r/private/listener.sock"]);
  assertEquals(given["ffi"], ["/lib/libc.so.6"]);
  for (const name of ["run", "sys", "import", "all"]) assert(!(name in given), name);
});

Deno.test("grantsOf() lets the daemon reach the hosts of its remotes only", () => {
  const { net } = grants(
    ...["--listen", "127.0.0.1:1", "--remote", "https://images.example/a"],
    ...["--remote", "http://127.0.0.1:8080/"],
  );
  assertEquals(net, [
    ...["127.0.0.1:1", "unix:/r/private/listener.sock"],
    ...["images.example:443", "127.0.0.1:8080"],
  ]);
});

Deno.test("grantsOf() does not grant the roots: they are opened through the C library", () => {
  const given = grants("--root", "images=/secret");
  assert(!Object.values(given).flat().some((value) => value.includes("secret")));
});

Deno.test("grantsOf() names the port of a vsock", () => {
  assertEquals(grants("--listen", "vsock:1024")["net"]?.[0], "vsock:4294967295:1024");
});
