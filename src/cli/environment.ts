import type { Environment } from "./config.ts";

/** The process's own environment, for what flags leave out. */
export const environment: Environment = {
  env: (name) => Deno.env.get(name),
  cwd: () => Deno.cwd(),
  isRoot: () => Deno.uid() === 0,
};
