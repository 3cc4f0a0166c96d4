/**
 * Reads a uevent file as Kata's GetHostPath does, which takes it for an INI file (go-ini 1.28.2).
 * A kernel writes plain `KEY=value` lines. The rest matters only for files that look like a uevent.
 *
 * @module
 */

const DELIMITER = /[=:]/;
const COMMENT = /[#;]/;
const DEFAULT_SECTION = "DEFAULT";

/**
 * Reads the keys of the file's default section.
 *
 * - `=` or `:` divides key and value, whichever comes first.
 * - `#` and `;` begin comments, also behind a value.
 * - Quotes around a value are removed. A value in backticks or `"""` may span lines.
 * - A `\` at the end of a line joins the next one.
 * - `[name]` begins a section; only the default one is read.
 * - When a key comes twice, its later value counts.
 *
 * @throws {SyntaxError} naming the line, when it has no delimiter, or a quote or section is open
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseUevent } from "./uevent.ts";
 *
 * assertEquals(parseUevent("MAJOR=1\nDEVNAME=null\n").get("DEVNAME"), "null");
 * ```
 */
export function parseUevent(text: string): Map<string, string> {
  const keys = new Map<string, string>();
  const lines = new Lines(text.replace(/^\uFEFF/, ""));
  let section = DEFAULT_SECTION;
  for (let line = lines.take(); line !== undefined; line = lines.take()) {
    line = line.trimStart();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    if (line.startsWith("[")) {
      section = sectionName(line);
      continue;
    }
    const { key, rest } = splitKey(line);
    const value = readValue(rest.trimStart(), lines);
    if (section === DEFAULT_SECTION) keys.set(key, value);
  }
  return keys;
}

/** Lines one by one, each with its line break. */
class Lines {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }

  take(): string | undefined {
    return this.#lines[this.#at++];
  }
}

function sectionName(line: string): string {
  const end = line.lastIndexOf("]");
  if (end === -1) throw unreadable("section is not closed", line);
  if (end === 1) throw unreadable("section has no name", line);
  return line.slice(1, end);
}

function splitKey(line: string): { key: string; rest: string } {
  const quote = line.startsWith('"""') && line.length > 6 ? '"""' : /^["`]/.exec(line)?.[0] ?? "";
  const closing = quote === "" ? 0 : line.indexOf(quote, quote.length);
  if (closing === -1) throw unreadable("quote of the key is not closed", line);
  const found = line.slice(closing).search(DELIMITER);
  if (found === -1) throw unreadable("no = or : divides key and value", line);
  const delimiter = closing + found;
  const key = quote === "" ? line.slice(0, delimiter) : line.slice(quote.length, closing);
  if (key.trim() === "") throw unreadable("key is empty", line);
  return { key: key.trim(), rest: line.slice(delimiter + 1) };
}

function readValue(rest: string, lines: Lines): string {
  if (rest === "") return "";
  const quote = rest.startsWith('"""') && rest.length > 3 ? '"""' : rest.startsWith("`") ? "`" : "";
  if (quote !== "") return readQuoted(rest, quote, lines);
  const value = rest.trimEnd();
  if (value.endsWith("\\")) return readContinued(value.slice(0, -1), lines);
  const comment = value.search(COMMENT);
  return withoutQuotes(comment === -1 ? value : value.slice(0, comment).trimEnd());
}

function readQuoted(rest: string, quote: string, lines: Lines): string {
  const body = rest.slice(quote.length);
  const end = body.lastIndexOf(quote);
  if (end !== -1) return body.slice(0, end);
  let value = body;
  for (let line = lines.take(); line !== undefined; line = lines.take()) {
    const closing = line.lastIndexOf(quote);
    if (closing !== -1) return value + line.slice(0, closing);
    value += line;
  }
  throw unreadable("quote of the value is not closed", rest);
}

function readContinued(begin: string, lines: Lines): string {
  let value = begin;
  for (;;) {
    const next = lines.take()?.trim() ?? "";
    if (!next.endsWith("\\")) return value + next;
    value += next.slice(0, -1);
  }
}

/** As go-ini, leaves quotes around nothing, and quotes with a third one of their sort inside. */
function withoutQuotes(value: string): string {
  const quote = value[0];
  if (value.length <= 2 || (quote !== "'" && quote !== '"')) return value;
  return value.indexOf(quote, 1) === value.length - 1 ? value.slice(1, -1) : value;
}

function unreadable(reason: string, line: string): SyntaxError {
  return new SyntaxError(`${reason}: received ${JSON.stringify(line.trimEnd().slice(0, 80))}`);
}
