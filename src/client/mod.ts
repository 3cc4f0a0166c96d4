/**
 * The client of Innkeeper's API, in web standards: it runs in Deno, Node and browsers.
 *
 * @module
 */
export { GuestConsole } from "./guest_console.ts";
export { type HttpAnswer, type HttpAsk, HttpClient, type Reach } from "./http_client.ts";
export { ProblemError } from "./problem_error.ts";
export { UnreachableError } from "./unreachable_error.ts";
export { type Generation, type QuiesceAsked, Watcher, type WatcherOptions } from "./watcher.ts";
