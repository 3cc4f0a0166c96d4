/**
 * The client of Innkeeper's API, in web standards: it runs in Deno, Node and browsers.
 *
 * @module
 */
export { ConnectError } from "./connect_error.ts";
export type { Endpoint, SocketEndpoint } from "./endpoint.ts";
export { GuestConsole } from "./guest_console.ts";
export { type HttpAnswer, HttpClient, type HttpRequest } from "./http_client.ts";
export { ProblemError } from "./problem_error.ts";
export { UnreachableError } from "./unreachable_error.ts";
export { type Generation, type QuiesceRequest, Watcher, type WatcherOptions } from "./watcher.ts";
export { CONSOLE_PROTOCOL, WATCH_PROTOCOL } from "../wire/subprotocols.ts";
