/** Where the values of flags that are left out come from. */
export interface Environment {
  readonly env: (name: string) => string | undefined;
  readonly cwd: () => string;
  readonly isRoot: () => boolean;
}

/** The environment of this process. */
export const environment: Environment = {
  env: (name) => Deno.env.get(name),
  cwd: () => Deno.cwd(),
  isRoot: () => Deno.uid() === 0,
};
