import { rangeOfPath } from "../../src/wire/http/byte_range.ts";
import {
  bytesOf,
  bytesResponse,
  requestedBytes,
  requireOctets,
} from "../../src/wire/http/octets.ts";
import { BYTES, bytes } from "../http/openapi.ts";
import { onGuest } from "../http/rights.ts";
import { GuestParam, MemoryRangeParam } from "../../src/wire/guests.ts";
import { endpoint, OWNED_FAULTS, ownedGuest } from "./views.ts";

const readMemory = endpoint({
  method: "get",
  path: "/v1/guests/{g}/memory",
  operationId: "readGuestMemory",
  summary: "Read memory",
  description: "Reads the memory of a guest that does not run, whole or as `Range` says.",
  needs: onGuest("guest"),
  request: { params: GuestParam },
  headers: ["Innkeeper-Owner", "Range"],
  responses: {
    200: bytes("All of it", "Accept-Ranges"),
    206: bytes("The range", "Accept-Ranges", "Content-Range"),
  },
  faults: [...OWNED_FAULTS, "range-not-satisfiable"],
}).handle(async (c, { guests }) => {
  const guest = ownedGuest(guests, c);
  guest.requireAlive();
  const size = BigInt(guest.memory.sizeBytes);
  const requested = requestedBytes(c.req.header("range"), size);
  const content = await guest.memory.read(requested.start, Number(requested.end - requested.start));
  return bytesResponse(requested, size, content);
});

const writeMemory = endpoint({
  method: "put",
  path: "/v1/guests/{g}/memory/ranges/{range}",
  operationId: "writeGuestMemory",
  summary: "Write a range of memory, FIRST-LAST, both inclusive",
  description:
    "Writes memory of a guest that does not run. The body has exactly as many bytes as the " +
    "range.",
  needs: onGuest("guest"),

  request: {
    params: MemoryRangeParam,
    body: { required: true, content: BYTES },
  },
  headers: ["Innkeeper-Owner"],
  responses: { 204: { description: "It is written" } },
  faults: [...OWNED_FAULTS, "wrong-length", "address-out-of-range"],
}).handle(async (c, { guests }) => {
  const { start, end } = rangeOfPath(c.req.valid("param").range);
  requireOctets((name) => c.req.header(name));
  const guest = ownedGuest(guests, c);
  guest.memory.require(start, end - start);
  await guest.memory.write(start, await bytesOf(c.req.raw, end - start));
  return c.body(null, 204);
});

/** The memory of a guest that does not run. */
export const memoryEndpoints = [readMemory, writeMemory];
