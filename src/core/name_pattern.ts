/** Whether a name fits a pattern: a whole name, or a prefix with one `*` at its end. */
export function matchesPattern(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
