import { parseTokenFile, type TokenEntry } from "../access/tokens.ts";
import { UsageError } from "./exit.ts";

const TOKEN_BYTES = 32;

/**
 * Reads the token file.
 *
 * @throws {UsageError} when it is missing or cannot be understood
 */
export function readTokens(path: string): readonly TokenEntry[] {
  try {
    return parseTokenFile(Deno.readTextFileSync(path));
  } catch (error) {
    throw new UsageError(`Cannot use the token file ${path}: ${(error as Error).message}`);
  }
}

/** Makes a token file with one token that may do everything, unless there is a file already. */
export function makeTokenFile(path: string): void {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  const token = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  try {
    Deno.writeTextFileSync(path, `${token}\n`, { createNew: true, mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}
