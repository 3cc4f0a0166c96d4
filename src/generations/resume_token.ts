import type { Random } from "../core/ports/random.ts";

const TOKEN_BYTES = 18;

/** Makes a resume token: 144 random bits, safe in a URL. */
export function mintToken(random: Random): string {
  return random.bytes(TOKEN_BYTES).toBase64({ alphabet: "base64url" });
}

/** What the ledger holds of a token: its SHA-256 in hex, from which it cannot be found again. */
export async function hashToken(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return new Uint8Array(digest).toHex();
}
