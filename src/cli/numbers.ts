import { UsageError } from "./exit.ts";

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
