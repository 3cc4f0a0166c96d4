/** What an option may hold; members of a group are written with a dot. */
export type OptionValue =
  | string
  | number
  | bigint
  | boolean
  | { readonly [name: string]: OptionValue };

/** How a command line says yes and no. */
interface OptionWords {
  readonly on: string;
  readonly off: string;
}

/**
 * Options as one word of a command line: `name=value,…`. A comma in a value is doubled, as QEMU
 * reads it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { optionText } from "./option_text.ts";
 *
 * assertEquals(optionText({ a: true, file: { path: "x,y" } }), "a=on,file.path=x,,y");
 * ```
 */
export function optionText(
  options: Readonly<Record<string, OptionValue>>,
  words: OptionWords = { on: "on", off: "off" },
  prefix = "",
): string {
  return Object.entries(options).map(([name, value]) => {
    const key = `${prefix}${name}`;
    if (typeof value === "object") return optionText(value, words, `${key}.`);
    const text = typeof value === "boolean" ? (value ? words.on : words.off) : String(value);
    return `${key}=${text.replaceAll(",", ",,")}`;
  }).join(",");
}
