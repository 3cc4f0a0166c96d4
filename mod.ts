/**
 * Innkeeper: a host daemon that keeps the guests of one machine. Run this file for the command
 * line; `deno serve` it for the HTTP surface alone.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";
import { edge } from "./src/cli/edge.ts";

export type { Errno } from "./src/core/errno.ts";
export { Fault, type FaultCode, type FaultKind, FAULTS } from "./src/core/faults.ts";
export { type Problem, PROBLEM_TYPE } from "./src/wire/problem.ts";

/** The handler that `deno serve` looks for. The daemon is put together at the first request. */
export default { fetch: edge };

// Under `deno serve` this module counts as main too, with no arguments.
if (import.meta.main && Deno.args.length > 0) main(Deno.args).then((status) => Deno.exit(status));
