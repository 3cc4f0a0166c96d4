import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../support/config.ts";
import { UsageError } from "../../src/cli/exit.ts";
import { readServe } from "../../src/cli/parse_config.ts";
import { envName } from "../../src/cli/serve_flags.ts";

function parse(args: string[], env: Record<string, string> = {}, isRoot = true) {
  return parseConfig(args, { env: (name) => env[name], cwd: () => "/cwd", isRoot: () => isRoot });
}

Deno.test("parseConfig() without flags gives root the system's folders and others their own", () => {
  const root = parse([]);
  assertEquals([root.state, root.run], ["/var/lib/innkeeper", "/run/innkeeper"]);
  assertEquals(root.tokenFile, "/var/lib/innkeeper/token");
  assertEquals(root.listen, [
    { kind: "unix", path: "/run/innkeeper/private/innkeeper.sock", permissions: ["admin"] },
    { kind: "tcp", hostname: "127.0.0.1", port: 8787 },
  ]);
  const own = parse([], { HOME: "/home/ann", XDG_RUNTIME_DIR: "/run/user/7" }, false);
  assertEquals([own.state, own.run], ["/home/ann/.local/state/innkeeper", "/run/user/7/innkeeper"]);
  assertThrows(() => parse([], { HOME: "/home/ann" }, false), UsageError, "--run");
});

Deno.test("parseConfig() takes each flag from its environment twin, and the flag before it", () => {
  const env = {
    INNKEEPER_STATE: "/env/state",
    INNKEEPER_LISTEN: "unix:/s,scopes=read+watch  [::1]:0",
    INNKEEPER_ALLOW_HOST: "a b",
    INNKEEPER_CACHE_BYTES: "2000000",
  };
  const config = parse(["--cache-bytes", "3000000"], env);
  assertEquals([config.state, config.cacheBytes], ["/env/state", 3_000_000]);
  assertEquals(config.listen, [
    { kind: "unix", path: "/s", permissions: ["read", "watch"] },
    { kind: "tcp", hostname: "::1", port: 0 },
  ]);
  assertEquals(config.allowHosts, ["a", "b"]);
});

Deno.test("parseConfig() reads roots with their options, relative to the working folder", () => {
  assertEquals(parse(["--root", "images=./images:ro:noatime", "--root", "b=/b"]).roots, [
    { name: "images", path: "/cwd/images", readOnly: true, noatime: true },
    { name: "b", path: "/b", readOnly: false, noatime: false },
  ]);
});

for (
  const [args, says] of [
    [["--nonsense"], "--nonsense"],
    [["positional"], "positional"],
    [["--listen", "nowhere"], "nowhere"],
    [["--listen", "127.0.0.1:70000"], "70000"],
    [["--listen", "unix:"], "path is missing"],
    [["--listen", "unix:/s,scopes=fly"], "fly"],
    [["--listen", "unix:/s,mode=7"], "mode=7"],
    [["--listen", "vsock:"], "vsock:PORT"],
    [["--listen", "vsock:4294967295"], "vsock:PORT"],
    [["--listen", "vsock:1024,permissions=fly"], "fly"],
    [["--listen", "0.0.0.0:80"], "without TLS"],
    [["--tls-cert", "c"], "go together"],
    [["--root", "Bad=/x"], "Bad=/x"],
    [["--root", "a=/x", "--root", "a=/y"], "twice"],
    [["--root", "a=/x:rw"], "a=/x:rw"],
    [["--cache-bytes", "1e9"], "1e9"],
    [["--cache-bytes", "1"], "1"],
    [["--remote", "ftp://x/"], "ftp://x/"],
    [["--remote", "images"], "images"],
    [["--remote", "https://x/?q"], "https://x/?q"],
    [["--ledger", "etcd://a/b"], "etcd://a/b"],
  ] as const
) {
  Deno.test(`parseConfig() refuses ${args.join(" ")} and says why`, () => {
    assertThrows(() => parse([...args]), UsageError, says);
  });
}

Deno.test("parseConfig() ends each remote prefix in a slash, so that no neighbour gets in", () => {
  const { remotes } = parse(["--remote", "https://x/v1", "--remote", "http://127.0.0.1:8/a/"]);
  assertEquals(remotes, ["https://x/v1/", "http://127.0.0.1:8/a/"]);
});

Deno.test("parseConfig() listens beyond loopback with TLS or on demand", () => {
  assertEquals(parse(["--listen", "0.0.0.0:80", "--insecure-listen"]).listen.length, 1);
  const tls = parse(["--listen", "0.0.0.0:80", "--tls-cert", "c", "--tls-key", "k"]);
  assertEquals(tls.tls, { certFile: "c", keyFile: "k" });
});

Deno.test("serve --help names every flag with its twin, and every exit status", () => {
  const read = readServe(["--help"], { env: () => undefined, cwd: () => "/", isRoot: () => true });
  const help = "show" in read ? read.show : "";
  const flags = ["state", "run", "listen", "tls-cert", "tls-key", "insecure-listen", "allow-host"];
  for (
    const flag of [...flags, "token-file", "root", "remote", "cache-bytes", "host-root", "ledger"]
  ) {
    assert(help.includes(`--${flag}`) && help.includes(envName(flag)), flag);
  }
  for (const status of ["0 done", "2 wrong usage", "3 state", "4 cannot listen"]) {
    assert(help.includes(status), status);
  }
});

Deno.test("parseConfig() reads where to mount, and who may use it beside the daemon's user", () => {
  assertEquals(parse([]).mount, undefined);
  const { mount } = parse(["--mount", "files", "--mount-as", "1001=watch:vm-*+bump"]);
  assertEquals(mount, {
    folder: "/cwd/files",
    grants: [{ uid: 1001, grants: ["watch:vm-*", "bump"] }],
  });
  const wrong: readonly (readonly [string[], string])[] = [
    [["--mount-as", "1001=watch"], "--mount"],
    [["--mount", "/m", "--mount-as", "ann=watch"], "UID=GRANT"],
    [["--mount", "/m", "--mount-as", "4294967295=watch"], "UID=GRANT"],
    [["--mount", "/m", "--mount-as", "1=watch", "--mount-as", "1=bump"], "twice"],
    [["--mount", "/m", "--mount-as", "1=fly"], "fly"],
  ];
  for (const [args, why] of wrong) assertThrows(() => parse(args), UsageError, why);
});
