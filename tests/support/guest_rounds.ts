import { assertEquals } from "@std/assert";
import { MIB, PAGE_BYTES } from "../../src/core/limits.ts";
import type { Guests } from "../../src/guests/guests.ts";
import { showing } from "./guest_files.ts";
import { HELLO } from "./guest_programs.ts";

const IDENTITY = { generation: 1, epoch: 1n, unique: "01".repeat(16) };
const ADMIN = { ownerToken: undefined, force: true };
const GUEST_BYTES = 4 * MIB;

/** Makes a guest, runs it to its first notify, leaves it running, and deletes it. */
export async function guestRound(guests: Guests, id: string): Promise<void> {
  const load = [{ at: 0x1000n, bytes: HELLO }];
  const bare = { pfnLimit: GUEST_BYTES / PAGE_BYTES, start: 0x1000n, load };
  const { guest } = await guests.create({ name: id, engine: "auto", bare }, showing(IDENTITY, id));
  assertEquals(await guest.run(60_000), { reason: "notify", value: 0x600d });
  await guest.start();
  await guests.delete(id, ADMIN);
}

/** Memory of this process that is in use, in bytes. */
export function residentBytes(): number {
  const pages = Deno.readTextFileSync("/proc/self/statm").split(" ")[1];
  return Number(pages) * PAGE_BYTES;
}
