import { parseConfig } from "./config.ts";
import { type House, openDaemon } from "./serve.ts";
import { environment } from "./environment.ts";

let house: Promise<House> | undefined;

/**
 * Answers a request under `deno serve`, which listens itself: the flags come from the
 * environment, every caller counts as one over TCP.
 */
export async function edge(request: Request): Promise<Response> {
  house ??= openDaemon(parseConfig([], environment));
  return await (await house).app.fetch(request, { listener: { kind: "tcp" } });
}
