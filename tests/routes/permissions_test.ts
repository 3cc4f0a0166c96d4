import { assert, assertEquals } from "@std/assert";
import { Registry } from "prom-client";
import type { Permission } from "../../src/core/rights.ts";
import { Principal } from "../../src/access/tokens.ts";
import { deviceRoutes } from "../../routes/devices/devices.ts";
import { scopeRoutes } from "../../routes/generations/scopes.ts";
import { watchRoutes } from "../../routes/generations/watch.ts";
import { guestConsoleRoutes } from "../../routes/guests/console.ts";
import { guestRoutes } from "../../routes/guests/guests.ts";
import { inodeRoutes } from "../../routes/inodes/inodes.ts";
import { eventRoutes } from "../../routes/operate/events.ts";
import { mountRoutes } from "../../routes/operate/mount.ts";
import { ticketRoutes } from "../../routes/operate/tickets.ts";
import { needOf } from "../../routes/http/rights.ts";
import { Api } from "../support/api.ts";

const { signal } = new AbortController();
// A refusal comes before the handlers run, so what they work with is not needed.
const nothing = {} as never;
const ALL = [
  deviceRoutes(nothing, nothing),
  scopeRoutes(nothing, signal),
  watchRoutes(nothing),
  guestConsoleRoutes(nothing, nothing, signal),
  guestRoutes({ guests: { hold: () => () => {} } } as never, signal),
  inodeRoutes(nothing),
  eventRoutes(nothing, signal, () => true),
  ticketRoutes(nothing),
  mountRoutes(() => undefined, new Registry()),
];
const declared = ALL.flatMap((routes) => routes.declared);

Deno.test("every endpoint names the right it needs, but for tickets", () => {
  assert(declared.length > 80, `only ${declared.length} endpoints were found`);
  assertEquals(
    declared.filter(({ needs }) => needs === undefined).map(({ path }) => path),
    // A ticket permits no more than its caller may do.
    ["/v1/tickets"],
  );
});

Deno.test("every endpoint refuses a caller who has every permission but the one it needs", async () => {
  const api = Api.of(...ALL);
  const most: Permission[] = ["read", "watch", "bump", "write", "guest", "irq"];
  for (const { method, path, needs } of declared) {
    if (needs === undefined) continue;
    const { permission } = needOf(needs);
    const principal = new Principal("test", most.filter((one) => one !== permission));
    const url = path.replaceAll(/\{\w+\}/g, "1");
    const code = permission === "bump" ? "bump-not-permitted" : "not-permitted";
    await api.refused(code, method.toUpperCase(), url, { listener: { kind: "unix", principal } });
  }
});
