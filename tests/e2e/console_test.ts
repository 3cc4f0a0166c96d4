import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Browser } from "../support/browser.ts";
import { card, confirm, inBrowser, openConsole, shoot, watchers } from "../support/console.ts";
import { Daemon } from "../support/daemon.ts";
import { freePort } from "../support/port.ts";

inBrowser(
  "three watchers are bumped from the page, the late one is named and turns lost",
  async () => {
    await using daemon = await Daemon.start();
    await using browser = await Browser.start();
    const { page } = browser;
    const clients = await watchers(daemon, "vm-7", { app: 60_000, sidecar: 60_000, cron: 1500 });
    await openConsole(page, daemon);
    assertEquals(new URL(page.url()).hash, "#/");
    await page.getByText("Every scope is settled.").waitFor();

    await page.goto(`${daemon.url}/#/scopes/vm-7`);
    await page.getByText("Each of 3 watchers confirmed generation 0.").waitFor();
    await page.getByRole("button", { name: "Bump vm-7" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("restored from 4f2a");
    await page.getByRole("dialog").getByRole("button", { name: "Bump", exact: true }).click();
    await page.getByText("Waits for 3 of 3 watchers.").waitFor();
    await confirm(clients["app"], "vm-7");
    await page.getByText("Waits for 2 of 3 watchers.").waitFor();
    await confirm(clients["sidecar"], "vm-7");
    await page.getByText("Waits for 1 of 3 watchers.").waitFor();
    const rows = page.getByRole("listitem");
    assertStringIncludes(await rows.filter({ hasText: "cron" }).innerText(), "Late");
    assertStringIncludes(await rows.filter({ hasText: "app" }).innerText(), "Confirmed");

    await page.goto(`${daemon.url}/#/`);
    await card(page, "vm-7").getByText("Late").waitFor();
    await clients["cron"]?.close();
    await card(page, "vm-7").getByText("Held").waitFor();
    await card(page, "vm-7").getByText("Lost", { exact: true }).waitFor();
    await page.getByText("Only lost watchers are left, 1 of 3.").waitFor();
    await card(page, "vm-7").getByText("cron").waitFor();
    const { items } = await daemon.json(200, "GET", "/v1/scopes/vm-7/history");
    assertEquals([items[0].reason, items[0].outdated], ["restored from 4f2a", 3]);
    assertEquals([browser.errors, browser.foreign], [[], []]);
  },
);

inBrowser("a scope that settles says so on its card, with the time it took", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  const clients = await watchers(daemon, "vm-7", { app: 60_000 });
  await openConsole(page, daemon);
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
  await card(page, "vm-7").getByText("Shut").waitFor();
  await confirm(clients["app"], "vm-7");
  await card(page, "vm-7").getByText(/The only watcher confirmed generation 1\. It took /)
    .waitFor();
  await page.getByText("Every scope is settled.").waitFor();
  assertEquals(browser.errors, []);
});

inBrowser("a quiesce goes from the page to the watchers, is followed, and ends", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  const clients = await watchers(daemon, "vm-7", { app: 60_000, sidecar: 60_000 });
  await openConsole(page, daemon);
  const quiesce = async () => {
    await page.goto(`${daemon.url}/#/scopes/vm-7`);
    await page.getByRole("button", { name: "Quiesce vm-7" }).click();
    await page.getByLabel("Seconds").fill("60");
    await page.getByRole("dialog").getByRole("button", { name: "Quiesce", exact: true }).click();
    await page.getByText("0 of 2 watchers stand still.").waitFor();
    await page.goto(`${daemon.url}/#/`);
  };
  await quiesce();
  for (const client of Object.values(clients)) {
    assertEquals((await client.next("quiesce"))["reason"], "snapshot");
  }
  await clients["app"]?.request({ type: "quiesced", scope: "vm-7" });
  await card(page, "vm-7").getByText("1 of 2 watchers stand still.").waitFor();
  await card(page, "vm-7").getByText("Stands still").waitFor();
  await clients["sidecar"]?.request({ type: "quiesced", scope: "vm-7" });
  await card(page, "vm-7").getByText("Each of 2 watchers stands still: safe to bump.").waitFor();
  await page.getByRole("button", { name: "Let go on vm-7" }).click();
  for (const client of Object.values(clients)) await client.next("unquiesce");

  await quiesce();
  await card(page, "vm-7").getByRole("button", { name: "Bump vm-7" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Bump", exact: true }).click();
  for (const client of Object.values(clients)) await confirm(client, "vm-7");
  await card(page, "vm-7").getByText(/Each of 2 watchers confirmed generation 1\./).waitFor();
  assertEquals(browser.errors, []);
});

inBrowser("a bump that is refused says why, and by force it goes through", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  await watchers(daemon, "vm-7", { app: 60_000 });
  await daemon.json(200, "PUT", "/v1/scopes/vm-7", { requireQuiesce: true });
  await openConsole(page, daemon, "#/scopes/vm-7");
  await page.getByRole("button", { name: "Bump vm-7" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Bump", exact: true }).click();
  await dialog.getByRole("alert").getByText("POST its quiesce first").waitFor();
  await dialog.getByLabel("Bump although it is not quiesced").check();
  await dialog.getByRole("button", { name: "Bump", exact: true }).click();
  await page.getByText("Waits for 1 of 1 watchers.").waitFor();
  // The browser itself writes down each answer that is an error.
  assert(browser.errors.every((text) => text.includes("409")), browser.errors.join("\n"));
});

inBrowser("after a restart of the daemon the page goes on by itself", async () => {
  const port = freePort();
  const first = await Daemon.start({ port });
  await using browser = await Browser.start();
  const { page } = browser;
  await watchers(first, "vm-7", { app: 60_000 });
  await openConsole(page, first);
  await first.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
  await card(page, "vm-7").getByText("Late").waitFor();
  await first.stop("SIGKILL");
  await page.getByText("The daemon does not answer.").waitFor();
  await page.getByText("No connection").waitFor();
  await shoot(page, "board-no-connection");
  await using second = await Daemon.start({ folder: first.folder, port });
  await page.getByText("Live", { exact: true }).waitFor();
  await card(page, "vm-7").getByText("Held").waitFor();
  assertEquals(await page.getByText("The daemon does not answer.").isVisible(), false);
  await second.json(201, "POST", "/v1/scopes/system/bumps", { reason: "seen at once" });
  await page.goto(`${second.url}/#/scopes/system`);
  await page.getByRole("cell", { name: "seen at once" }).waitFor();
  const others = browser.errors.filter((text) => !/net::ERR_|WebSocket connection/.test(text));
  assertEquals(others, []);
});
