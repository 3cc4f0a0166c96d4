import { assert, assertEquals, assertRejects } from "@std/assert";
import { retry } from "@std/async";
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

async function certify(cert: string, key: string): Promise<void> {
  const { success } = await new Deno.Command("openssl", {
    args: ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
      .concat(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
      .concat(["-addext", "basicConstraints=critical,CA:FALSE"])
      .concat(["-keyout", key, "-out", cert]),
    stderr: "null",
  }).output();
  assertEquals(success, true);
}

testWhere(
  "SIGHUP reads the certificate again, and keeps the one before when it cannot be used",
  missing(),
  async () => {
    const folder = await Deno.makeTempDir();
    const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await certify(cert, key);
    const first = await Deno.readTextFile(cert);
    await using daemon = await Daemon.start({ args: ["--tls-cert", cert, "--tls-key", key] });
    const isServed = async (pem: string): Promise<boolean> => {
      using client = Deno.createHttpClient({ caCerts: [pem] });
      const response = await fetch(`${daemon.url}/readyz`, { client }).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 200;
    };
    const says = (text: string) =>
      retry(() => assert(daemon.log.includes(text), daemon.log), {
        minTimeout: 10,
        maxTimeout: 50,
        maxAttempts: 200,
      });
    await Deno.writeTextFile(cert, "no certificate");
    daemon.child.kill("SIGHUP");
    await says("the earlier one stays in force");
    assertEquals(await isServed(first), true);
    await certify(cert, key);
    daemon.child.kill("SIGHUP");
    await says("certificate read again");
    assertEquals([await isServed(await Deno.readTextFile(cert)), await isServed(first)], [
      true,
      false,
    ]);
    assertEquals(await daemon.stop(), 0);
  },
);

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
