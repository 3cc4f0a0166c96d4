import type { Random } from "../core/ports/random.ts";
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

/** Makes the token file with one token for everything, unless it is there already. */
export function makeTokenFile(path: string, random: Random): void {
  const token = random.bytes(TOKEN_BYTES).toBase64({ alphabet: "base64url", omitPadding: true });
  try {
    Deno.writeTextFileSync(path, `${token}\n`, { createNew: true, mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}
