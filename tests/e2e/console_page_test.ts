import { assert, assertEquals } from "@std/assert";
import { retry } from "@std/async";
import type { Page } from "playwright-core";
import { Browser } from "../support/browser.ts";
import { card, confirm, inBrowser, openConsole, shoot, watchers } from "../support/console.ts";
import { Daemon } from "../support/daemon.ts";

inBrowser("what clients say is text and never markup", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  const markup = `<img src=x onerror="document.title='pwned'"><b id=evil>x</b>`;
  const clients = await watchers(daemon, "vm-7", { app: 60_000 });
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: markup });
  await clients["app"]?.request({ type: "fail", scope: "vm-7", generation: 1, reason: markup });
  await daemon.json(202, "POST", "/v1/scopes/system/quiesce", { reason: markup });
  await openConsole(page, daemon);
  await card(page, "vm-7").getByText(markup).first().waitFor();
  assertEquals(await page.getByText(markup).count(), 3);
  await page.goto(`${daemon.url}/#/scopes/vm-7`);
  await page.getByRole("cell", { name: markup }).waitFor();
  await page.getByRole("button", { name: "Bump vm-7" }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill(markup);
  assertEquals(await page.locator("#evil").count(), 0);
  assertEquals(await page.title(), "vm-7 – Innkeeper");
  assertEquals(browser.errors, []);
});

inBrowser(
  "a token that is missing, wrong or too narrow is asked for, and kept out of the address",
  async () => {
    await using daemon = await Daemon.start();
    await Deno.writeTextFile(
      `${daemon.folder}/state/token`,
      `${daemon.token}\nblind-token watch\nreader-token read\n`,
    );
    daemon.child.kill("SIGHUP");
    await retry(() => assert(daemon.log.includes("token file read again")), { minTimeout: 10 });
    await using browser = await Browser.start();
    const { page } = browser;
    await page.goto(daemon.url);
    await page.getByText("This console needs a token").waitFor();
    await shoot(page, "token");
    assertEquals(browser.errors, []);
    const answer = async (token: string) => {
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Open the console" }).click();
    };
    await answer("wrong");
    await page.getByRole("alert").getByText("it is not in the token file").waitFor();
    await shoot(page, "token-refused");
    await answer("blind-token");
    await page.getByRole("alert").getByText(`it needs the permission "read"`).waitFor();
    await answer("reader-token");
    await page.getByText("Every 2 s").waitFor();
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByText("This console needs a token").waitFor();
    await answer(daemon.token);
    await page.getByText("Live", { exact: true }).waitFor();
    assertEquals(page.url(), `${daemon.url}/`);
    assertEquals(await page.evaluate("localStorage.length"), 0);
  },
);

/** From now on, what moves by itself on the page is noted. */
async function watchShifts(page: Page): Promise<void> {
  await page.evaluate(`
    scrollTo(0, 0);
    globalThis.moved = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const nodes = entry.sources.map(({ node }) => node?.outerHTML ?? node?.textContent);
        globalThis.moved.push(entry.value + ": " + nodes.join(" "));
      }
    }).observe({ type: "layout-shift" });
  `);
}

async function assertNothingMoved(page: Page): Promise<void> {
  assertEquals(await page.evaluate("globalThis.moved"), []);
}

inBrowser("nothing moves on a scope's page while its watchers confirm", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start({ height: 1600 });
  const { page } = browser;
  const names = ["a", "b", "c", "d", "e"];
  const clients = await watchers(
    daemon,
    "vm-7",
    Object.fromEntries(names.map((name) => [name, 60_000])),
  );
  await openConsole(page, daemon, "#/scopes/vm-7");
  await page.getByText("Each of 5 watchers confirmed generation 0.").waitFor();
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
  await page.getByText("Waits for 5 of 5 watchers.").waitFor();
  await page.getByRole("cell", { name: "not yet" }).waitFor();
  await watchShifts(page);
  for (const [index, name] of ["d", "a", "c", "e", "b"].entries()) {
    await confirm(clients[name], "vm-7");
    if (index < 4) await page.getByText(`Waits for ${4 - index} of 5 watchers.`).waitFor();
  }
  await page.getByText("Each of 5 watchers confirmed generation 1.").waitFor();
  await page.waitForTimeout(1200);
  await assertNothingMoved(page);
});

inBrowser("a scope that is not there, or not yet, is said to be so", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  await openConsole(page, daemon);
  await page.getByLabel("Name of a scope").fill("vm-7");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText('Cannot find scope "vm-7"').waitFor();
  assertEquals(await page.getByRole("button", { name: /Bump/ }).count(), 0);
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
  await page.getByText("No tracked watchers, so nobody is waited for.").waitFor();
  await page.goto(`${daemon.url}/#/scopes/%`);
  await page.getByRole("heading", { name: "Settling board" }).waitFor();
  // The browser itself writes down each answer that is an error.
  assert(browser.errors.every((text) => text.includes("404")), browser.errors.join("\n"));
});

inBrowser("120 scopes stay usable: bounded pages, nothing moves under live news", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  const names = Array.from({ length: 120 }, (_, n) => `vm-${String(n).padStart(3, "0")}`);
  for (const name of names) {
    await daemon.json(201, "PUT", `/v1/scopes/${name}`, {});
    await daemon.json(201, "PUT", `/v1/scopes/${name}/watchers/cron`, { track: true });
  }
  const clients = await watchers(daemon, "aa-first", { app: 60_000, other: 60_000 });
  await openConsole(page, daemon);
  const rows = page.getByRole("table", { name: "All scopes by name" }).locator("tbody tr");
  await retry(async () => assertEquals(await rows.count(), 50), { minTimeout: 20 });
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("link", { name: "vm-060" }).waitFor();
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("link", { name: "vm-119" }).waitFor();
  assertEquals(await page.getByRole("button", { name: "Next" }).isDisabled(), true);
  await page.getByRole("button", { name: "Previous" }).click();
  await page.getByRole("button", { name: "Previous" }).click();
  await page.getByRole("link", { name: "vm-000" }).waitFor();

  await daemon.json(201, "POST", "/v1/scopes/aa-first/bumps", { reason: "restore" });
  await card(page, "aa-first").waitFor();
  await watchShifts(page);
  for (const name of names.slice(0, 40)) {
    await daemon.json(201, "POST", `/v1/scopes/${name}/bumps`, { reason: "restore" });
  }
  await page.getByText("25 or more scopes are not settled").waitFor();
  await confirm(clients["app"], "aa-first");
  await card(page, "aa-first").getByText("Waits for 1 of 2 watchers.").waitFor();
  await page.waitForTimeout(2500);
  await assertNothingMoved(page);
  assert(await page.getByRole("article").count() <= 25);
  await shoot(page, "board-120-scopes");
  assertEquals(browser.errors, []);
});

inBrowser("everything is reached by keyboard, and a dialog gives the focus back", async () => {
  await using daemon = await Daemon.start();
  await using browser = await Browser.start();
  const { page } = browser;
  await watchers(daemon, "vm-7", { app: 60_000 });
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
  await openConsole(page, daemon);
  await card(page, "vm-7").waitFor();
  const focused = () =>
    page.evaluate(
      "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent",
    ) as Promise<string>;
  const seen: string[] = [];
  for (let steps = 0; steps < 30 && !seen.includes("Bump vm-7"); steps++) {
    await page.keyboard.press("Tab");
    seen.push(await focused());
  }
  assertEquals(seen.slice(0, 3).map((text) => text.slice(0, 9)), [
    "Skip to c",
    "Innkeeper",
    "Settling ",
  ]);
  assert(seen.includes("Quiesce vm-7"), seen.join(" | "));
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  assertEquals(await focused(), "Bump vm-7");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByLabel("Reason").fill("by keyboard");
  await page.keyboard.press("Enter");
  await card(page, "vm-7").getByText("by keyboard").waitFor();
  assertEquals(await focused(), "Bump vm-7");
});
