import type { Locator, Page } from "playwright-core";
import { missingBrowser } from "./browser.ts";
import type { Daemon, WatchClient } from "./daemon.ts";
import { testWhere } from "./skip.ts";

/** Where the pictures go that tests take. */
const OUTPUT = new URL("../../test-output/", import.meta.url);

/** Registers a test of the console that needs a browser. */
export function inBrowser(name: string, fn: () => Promise<void>): void {
  testWhere(`console: ${name}`, missingBrowser(), fn);
}

/** Opens the console as its link does. */
export async function openConsole(page: Page, daemon: Daemon, path = ""): Promise<void> {
  await page.goto(`${daemon.url}/#token=${daemon.token}`);
  await page.getByText("Live", { exact: true }).waitFor();
  if (path !== "") await page.goto(`${daemon.url}/${path}`);
}

/** Tracked watchers of one scope, each on a connection of its own. */
export async function watchers(
  daemon: Daemon,
  scope: string,
  leases: Readonly<Record<string, number>>,
): Promise<Record<string, WatchClient>> {
  await daemon.json(201, "PUT", `/v1/scopes/${scope}`, {});
  const clients: Record<string, WatchClient> = {};
  for (const [name, leaseMs] of Object.entries(leases)) {
    const client = await daemon.watch();
    await client.request({ type: "watch", scope, name, track: true, leaseMs });
    clients[name] = client;
  }
  return clients;
}

/** Confirms what a watcher is told next. */
export async function confirm(client: WatchClient | undefined, scope: string): Promise<void> {
  const { generation, epoch } = await (client as WatchClient).next("generation");
  await client?.request({ type: "ack", scope, generation, epoch });
}

/** The card of a scope on the board. */
export function card(page: Page, scope: string): Locator {
  return page.getByRole("article").filter({ hasText: scope });
}

/** Takes a picture of the whole page. */
export async function shoot(page: Page, name: string): Promise<void> {
  await Deno.mkdir(OUTPUT, { recursive: true });
  await page.screenshot({ path: new URL(`${name}.png`, OUTPUT).pathname, fullPage: true });
}
