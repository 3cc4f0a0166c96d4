/**
 * Makes and deletes 100,000 scopes: what stays is bounded on disk, in memory and in descriptors.
 *
 * Run with `deno run -A tests/soak/scopes.ts [SCOPES]`. Ends with status 0, or throws.
 *
 * @module
 */
import { churnScopes } from "../support/scope_churn.ts";

const count = Number(Deno.args[0] ?? 100_000);
const measured = JSON.stringify(await churnScopes(count));
await Deno.stdout.write(new TextEncoder().encode(`${count} scopes came and went: ${measured}\n`));
