import { assert, assertEquals } from "@std/assert";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { Browser, missingBrowser } from "../support/browser.ts";
import { card, confirm, inBrowser, openConsole, shoot, watchers } from "../support/console.ts";
import { Daemon } from "../support/daemon.ts";
import { missingProgram, testWhere } from "../support/skip.ts";

inBrowser(
  "both themes and widths: a picture of each page, and no fault that axe knows",
  async () => {
    await using daemon = await Daemon.start();
    const clients = await watchers(daemon, "vm-7", {
      app: 60_000,
      sidecar: 60_000,
      cron: 300,
      proxy: 60_000,
    });
    for (const name of ["build-cache", "vm-8", "vm-9"]) {
      await daemon.json(201, "PUT", `/v1/scopes/${name}`, {});
    }
    await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
    for (const client of Object.values(clients)) await confirm(client, "vm-7");
    await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "clone of snapshot 4f2a" });
    await confirm(clients["app"], "vm-7");
    await clients["sidecar"]?.request({
      ...{ type: "fail", scope: "vm-7", generation: 2 },
      reason: "cannot reach the key service",
    });
    await clients["cron"]?.close();
    await watchers(daemon, "agent-0042", { shell: 60_000 });
    await daemon.json(202, "POST", "/v1/scopes/agent-0042/quiesce", {
      reason: "snapshot",
      maxMs: 120_000,
    });
    for (const theme of ["light", "dark"] as const) {
      await using browser = await Browser.start({ theme });
      const { page } = browser;
      await openConsole(page, daemon);
      for (const [width, height] of [[1280, 900], [390, 844]] as const) {
        await page.setViewportSize({ width, height });
        await page.goto(`${daemon.url}/#/`);
        await card(page, "vm-7").getByText("Lost").waitFor();
        await look(page, `board-${theme}-${width}`);
        await page.goto(`${daemon.url}/#/scopes/vm-7`);
        await page.getByText("Waits for 3 of 4 watchers; 1 could not adapt.").waitFor();
        await look(page, `scope-${theme}-${width}`);
        await page.getByRole("button", { name: "Bump vm-7" }).click();
        await page.getByRole("dialog").waitFor();
        await look(page, `bump-${theme}-${width}`);
        await page.keyboard.press("Escape");
      }
      assertEquals([browser.errors, browser.foreign], [[], []]);
    }
  },
);

/** Takes a picture and asks axe; nothing may be wider than the window. */
async function look(page: Page, name: string): Promise<void> {
  await shoot(page, name);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate("axe.run(document)") as axe.AxeResults;
  assertEquals(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`), [], name);
  assertEquals(
    await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
    true,
    `${name} is wider than its window`,
  );
}

testWhere(
  "console: every curl line on the pages does what the page shows",
  missingBrowser() ?? missingProgram("curl"),
  async () => {
    await using daemon = await Daemon.start();
    await using browser = await Browser.start();
    const { page } = browser;
    await watchers(daemon, "vm-7", { app: 60_000 });
    await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
    const curl = async (line: string) => {
      assert(!line.includes(daemon.token), line);
      const { code, stdout } = await new Deno.Command("sh", {
        args: ["-c", line],
        env: { INNKEEPER_TOKEN: daemon.token },
      }).output();
      const text = new TextDecoder().decode(stdout);
      return { code, json: text === "" ? undefined : JSON.parse(text) };
    };
    const lines = () => page.locator(".curl code").allInnerTexts();
    const names = (items: { name: string }[]) => items.map(({ name }) => name);

    await openConsole(page, daemon);
    await card(page, "vm-7").waitFor();
    const [unsettled = "", all = "", ...others] = await lines();
    assertEquals(others, []);
    assertEquals(names((await curl(unsettled)).json.items), ["vm-7"]);
    assertEquals(names((await curl(all)).json.items), ["system", "vm-7"]);

    await page.goto(`${daemon.url}/#/scopes/vm-7`);
    await page.getByText("Waits for 1 of 1 watchers.").waitFor();
    const [barrier = "", watching = "", history = "", scope = "", ...more] = await lines();
    assertEquals(more, []);
    // -f makes a shut barrier an error.
    assertEquals((await curl(barrier)).code, 22);
    assertEquals(names((await curl(watching)).json.items), ["app"]);
    assertEquals((await curl(history)).json.items[0].generation, 1);
    assertEquals((await curl(scope)).json.outdated, 1);

    await page.getByRole("button", { name: "Quiesce vm-7" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("it's a snapshot");
    const quiesced = await curl((await lines()).at(-1) ?? "");
    assertEquals(quiesced.json.reason, "it's a snapshot");
    await page.keyboard.press("Escape");
    await page.getByText("0 of 1 watchers stand still.").waitFor();
    await page.getByRole("button", { name: "Bump vm-7" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill(`$(touch /tmp/x) "quoted" \`x\` '`);
    assertEquals((await curl((await lines()).at(-1) ?? "")).json.generation, 2);
    const after = await daemon.json(200, "GET", "/v1/scopes/vm-7");
    assertEquals(after.reason, `$(touch /tmp/x) "quoted" \`x\` '`);
  },
);

inBrowser("/docs shows the API, asks nobody else for anything, and sends nothing", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  await page.goto(`${daemon.url}/docs`);
  await page.getByText("/v1/scopes/{s}/barrier").waitFor();
  await page.getByText("Pass only when every tracked watcher has confirmed").click();
  await page.getByText("watchers-lost").first().waitFor();
  assertEquals(await page.getByRole("button", { name: "Try it out" }).count(), 0);
  await shoot(page, "docs");
  assertEquals([browser.errors, browser.foreign], [[], []]);
});
