/**
 * What a terminal would obey instead of showing it, or would show in another order: control
 * characters, and Unicode's marks that turn the direction of writing or break a line.
 */
// deno-lint-ignore no-control-regex -- control characters are what it is for
const UNSHOWABLE = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const codeOf = (character: string): string => character.charCodeAt(0).toString(16);

/** A text from outside as one line that is safe to show on a terminal. */
export function escapeText(text: string): string {
  return text.replace(UNSHOWABLE, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    const code = codeOf(character);
    return character <= "\xff" ? `\\x${code.padStart(2, "0")}` : `\\u${code}`;
  });
}

/** A text from outside that is shown line by line. */
export function escapeLines(text: string): string {
  return text.split("\n").map(escapeText).join("\n");
}

/** A value as one line of JSON that is safe to show on a terminal. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    UNSHOWABLE,
    (character) => `\\u${codeOf(character).padStart(4, "0")}`,
  );
}
