import { parseConfig } from "../daemon/config.ts";
import { type House, openHouse } from "./serve.ts";
import { surroundings } from "./surroundings.ts";

let house: Promise<House> | undefined;

/**
 * Answers a request under `deno serve`, which listens itself: the flags come from the
 * environment, every caller counts as one over TCP.
 */
export async function edge(request: Request): Promise<Response> {
  house ??= openHouse(parseConfig([], surroundings));
  return await (await house).app.fetch(request, { listener: { kind: "tcp" } });
}
