import { parseArgs } from "node:util";
import { UsageError } from "./exit.ts";

/** The kinds of flags, and the type of their values. */
interface FlagTypes {
  readonly switch: boolean;
  readonly text: string;
  /** A flag that may be given several times. */
  readonly texts: readonly string[];
  /** A whole number. */
  readonly number: number;
}

/** Flags by name, with the kind of each. */
export type Flags = Readonly<Record<string, keyof FlagTypes>>;

/** What a command takes. */
export interface Syntax<Name extends string, F extends Flags> {
  /** The arguments that are no flags, in their order. */
  readonly names: readonly Name[];
  readonly flags: F;
}

/** The values of arguments and flags, by name. */
export type Args<Name extends string, F extends Flags> =
  & { readonly [N in Name]: string }
  & { readonly [N in keyof F]?: FlagTypes[F[N]] };

/**
 * Reads the arguments of a command.
 *
 * @throws {UsageError} with the command's usage line
 */
export function readArgs<const Name extends string, const F extends Flags>(
  args: readonly string[],
  { names, flags }: Syntax<Name, F>,
  usage: string,
): Args<Name, F> {
  const options = Object.entries(flags).map(([name, kind]) => {
    const type = kind === "switch" ? "boolean" as const : "string" as const;
    return [name, { type, multiple: kind === "texts" }] as const;
  });
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: Object.fromEntries(options),
      allowPositionals: true,
    });
    if (positionals.length !== names.length) {
      const given = positionals.map((name) => `"${name}"`).join(", ") || "none";
      throw new Error(`Cannot take the names ${given}: there must be ${names.length}`);
    }
    return Object.fromEntries([
      ...names.map((name, index) => [name, positionals[index]]),
      ...Object.entries(values).map(([name, value]) => [
        name,
        flags[name] === "number" ? wholeNumber(String(value), `--${name}`) : value,
      ]),
    ]);
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nusage: ${usage}`);
  }
}

/**
 * Reads a whole number.
 *
 * @param what Names the number in the message
 * @throws {UsageError}
 */
export function wholeNumber(text: string, what: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`Cannot use ${what} "${text}": it must be a whole number`);
}

/**
 * Reads a number of up to 64 bits, decimal or hexadecimal.
 *
 * @param what Names the number in the message
 * @throws {UsageError}
 */
export function parseAddress(text: string, what: string): bigint {
  if (/^(?:0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(text)) return BigInt(text);
  throw new UsageError(`Cannot use ${what}: "${text}" must be a number, decimal or 0x…`);
}
