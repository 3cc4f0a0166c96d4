import { assertEquals, assertRejects } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { testWhere } from "../support/skip.ts";

function missing(): string | undefined {
  try {
    new Deno.Command("openssl", { args: ["version"] }).outputSync();
    return undefined;
  } catch {
    return "no openssl to make a certificate with";
  }
}

testWhere("--tls-cert and --tls-key serve TCP over TLS only", missing(), async () => {
  const folder = await Deno.makeTempDir();
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const { success } = await new Deno.Command("openssl", {
    args: ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
      .concat(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
      .concat(["-addext", "basicConstraints=critical,CA:FALSE"])
      .concat(["-keyout", key, "-out", cert]),
    stderr: "null",
  }).output();
  assertEquals(success, true);
  await using daemon = await Daemon.start({ args: ["--tls-cert", cert, "--tls-key", key] });
  assertEquals(new URL(daemon.url).protocol, "https:");
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(cert)] });
  const response = await fetch(`${daemon.url}/readyz`, { client });
  assertEquals([response.status, (await response.json()).status], [200, "ok"]);
  await assertRejects(() => fetch(`${daemon.url}/readyz`));
  await assertRejects(() => fetch(`${daemon.url.replace("https", "http")}/readyz`));
});
