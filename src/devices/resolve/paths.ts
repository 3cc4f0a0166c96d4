/**
 * Removes `.`, `..` and double slashes from an absolute path, without looking at the host.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { cleanPath } from "./paths.ts";
 *
 * assertEquals(cleanPath("/sys//dev/./block/../char"), "/sys/dev/char");
 * ```
 */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
