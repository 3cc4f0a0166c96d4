/**
 * Page before reply, push and barrier, for 100,000 bumps (case 18), seen by another program, while a
 * third reads the vmclock page and must never find its sequence odd.
 *
 * Run with `deno run -A tests/soak/page_order.ts [BUMPS]`. Ends with status 0, or throws.
 *
 * @module
 */
import { bumpAndProbe } from "../support/page_order.ts";

const bumps = Number(Deno.args[0] ?? 100_000);
await bumpAndProbe(bumps);
const line = `${bumps} bumps: the page was never behind what anybody was told\n`;
Deno.stdout.writeSync(new TextEncoder().encode(line));
