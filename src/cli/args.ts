import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "./exit.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The words of a command: its flags and what stands between them. */
export interface Words {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly names: readonly string[];
}

/**
 * Reads the words of a command.
 *
 * @param names How many names it takes besides its flags
 * @throws {UsageError} with the command's usage line
 */
export function readArgs(
  args: readonly string[],
  options: Options,
  names: number,
  usage: string,
): Words {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (positionals.length !== names) throw new Error(`${positionals.length} names were given`);
    return { flags: values as Words["flags"], names: positionals };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nusage: ${usage}`);
  }
}

/**
 * A flag that is a whole number.
 *
 * @throws {UsageError}
 */
export function wholeNumber({ flags }: Words, name: string): number | undefined {
  const text = flags[name];
  if (text === undefined) return undefined;
  if (typeof text === "string" && /^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`Cannot use --${name} "${text}": it must be a whole number`);
}
