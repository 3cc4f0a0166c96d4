import { type Daemon, openDaemon } from "./compose.ts";
import { configOf } from "./config.ts";
import { environment } from "./environment.ts";
import { withEnvironment } from "./serve_flags.ts";

let daemon: Promise<Daemon> | undefined;

/**
 * Answers a request under `deno serve`, which listens itself. The flags come from the environment,
 * and every caller counts as one over TCP. The daemon is put together at the first request.
 */
export async function edge(request: Request): Promise<Response> {
  daemon ??= openDaemon(configOf(withEnvironment({}, environment.env), environment));
  return await (await daemon).app.fetch(request, { listener: { kind: "tcp" } });
}
