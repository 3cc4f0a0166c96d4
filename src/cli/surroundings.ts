import type { Surroundings } from "../daemon/config.ts";

/** The process's own environment, for what flags leave out. */
export const surroundings: Surroundings = {
  env: (name) => Deno.env.get(name),
  cwd: () => Deno.cwd(),
  isRoot: () => Deno.uid() === 0,
};
