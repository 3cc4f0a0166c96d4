/** What an option may hold. The members of a group are written behind its name and a dot. */
export type OptionValue =
  | string
  | number
  | bigint
  | boolean
  | { readonly [name: string]: OptionValue };

/**
 * Writes options as one argument of a command line: `name=value,…`. A comma in a value is doubled,
 * as QEMU reads it.
 *
 * @param switches How the hypervisor writes true and false
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
  switches = { on: "on", off: "off" },
  prefix = "",
): string {
  return Object.entries(options).map(([name, value]) => {
    const key = `${prefix}${name}`;
    if (typeof value === "object") return optionText(value, switches, `${key}.`);
    const text = typeof value === "boolean" ? (value ? switches.on : switches.off) : String(value);
    return `${key}=${text.replaceAll(",", ",,")}`;
  }).join(",");
}
