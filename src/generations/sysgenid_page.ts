/**
 * The page in the layout of the sysgenid device: the generation as a native-endian u32 at 0, the
 * rest zero (docs/generations.md#5). AWS-LC maps its first 4 bytes.
 *
 * @module
 */
import type { PageFile } from "../core/ports/page_file.ts";
import { wordsThatDiffer } from "./page_words.ts";

/** Bytes of a generation. */
export const SYSGENID_BYTES = 4;

/** A generation as the page and the 4-byte protocol carry it. */
export function sysgenidBytes(generation: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.of(generation).buffer);
}

/** The generation in 4 or more bytes. */
export function sysgenidGeneration(bytes: Uint8Array): number {
  return new Uint32Array(bytes.slice(0, SYSGENID_BYTES).buffer)[0] ?? 0;
}

/** Stores a generation in one store, so that no reader sees half of it. */
export function storeSysgenid(page: PageFile, generation: number): void {
  page.store([[0, BigInt(generation)]]);
}

/** Makes the whole page that of a generation, whatever it shows. */
export function mendSysgenid(page: PageFile, generation: number): void {
  const stores = wordsThatDiffer(page.bytes(), sysgenidBytes(generation));
  if (stores.length > 0) page.store(stores);
}
