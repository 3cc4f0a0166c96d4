import { ChannelList, ChannelParam, ChannelView, GuestParam } from "../../src/wire/guests.ts";
import { json } from "../http/openapi.ts";
import { onGuest } from "../http/rights.ts";
import { waitOf } from "../http/wait.ts";
import { endpoint, guestForOwnerOrAdmin } from "./views.ts";

const listChannels = endpoint({
  method: "get",
  path: "/v1/guests/{g}/channels",
  operationId: "listChannels",
  summary: "List the channels of a guest",
  description: "Lists the addresses of a guest whose notifies are counted.",
  needs: onGuest("guest"),
  request: { params: GuestParam },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(ChannelList, "All channels, by address") },
  faults: ["guest-not-found", "not-owner", "guest-dead", "wrong-guest-kind"],
}).handle((c, { guests }) =>
  c.json({ items: guestForOwnerOrAdmin(guests, c).channels.list() }, 200)
);

const attachChannel = endpoint({
  method: "put",
  path: "/v1/guests/{g}/channels/{address}",
  operationId: "attachChannel",
  summary: "Attach to an address: its notifies count from now on and do not end the run",
  description:
    "A notify at this address is counted from now on, and the run goes on. To attach twice " +
    "changes nothing.",
  needs: onGuest("guest"),
  request: { params: ChannelParam },
  headers: ["Innkeeper-Owner"],
  responses: {
    201: json(ChannelView, "It is attached"),
    200: json(ChannelView, "It was attached already; nothing has changed"),
  },
  faults: ["guest-not-found", "not-owner", "guest-dead", "wrong-guest-kind", "channels-exhausted"],
}).handle(async (c, { guests }) => {
  const { address } = c.req.valid("param");
  const { channel, created } = await guestForOwnerOrAdmin(guests, c).channels.attach(address);
  return c.json(channel, created ? 201 : 200);
});

const showChannel = endpoint({
  method: "get",
  path: "/v1/guests/{g}/channels/{address}",
  operationId: "showChannel",
  summary: "Show how often an address was notified since that was last taken",
  description: "Shows the count and leaves it as it is.",
  needs: onGuest("guest"),
  request: { params: ChannelParam },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(ChannelView, "The channel") },
  faults: ["guest-not-found", "not-owner", "guest-dead", "wrong-guest-kind", "channel-not-found"],
}).handle((c, { guests }) => {
  const { address } = c.req.valid("param");
  return c.json(guestForOwnerOrAdmin(guests, c).channels.get(address), 200);
});

const detachChannel = endpoint({
  method: "delete",
  path: "/v1/guests/{g}/channels/{address}",
  operationId: "detachChannel",
  summary: "Detach from an address: its notifies end the run again",
  description:
    "The address's count is dropped, and its notifies end the run again. To detach what is not " +
    "attached is no error.",
  needs: onGuest("guest"),
  request: { params: ChannelParam },
  headers: ["Innkeeper-Owner"],
  responses: { 204: { description: "It is not attached" } },
  faults: ["guest-not-found", "not-owner", "guest-dead", "wrong-guest-kind"],
}).handle(async (c, { guests }) => {
  const { address } = c.req.valid("param");
  await guestForOwnerOrAdmin(guests, c).channels.detach(address);
  return c.body(null, 204);
});

const drainChannel = endpoint({
  method: "post",
  path: "/v1/guests/{g}/channels/{address}/drain",
  operationId: "drainChannel",
  summary: "Take the count of an address, waiting for one as Prefer says",
  description:
    "Takes the count and sets it back to 0. `Prefer: wait=N` waits up to N seconds for a notify.",
  needs: onGuest("guest"),
  request: { params: ChannelParam },
  headers: ["Innkeeper-Owner", "Prefer"],
  responses: {
    200: json(
      ChannelView,
      "What was taken; 0 when there was nothing in time",
      "Preference-Applied",
    ),
  },
  faults: ["guest-not-found", "not-owner", "guest-dead", "wrong-guest-kind", "channel-not-found"],
}).handle(async (c, { guests, stopping }) => {
  const { address } = c.req.valid("param");
  const count = await guestForOwnerOrAdmin(guests, c).channels.drain(address, waitOf(c, stopping));
  return c.json({ address: Number(address), count }, 200);
});

/**
 * The channels of a guest: notifies that are counted and do not end the run, as lguest's eventfds
 * (docs/guests.md#sources). They need the owner's token: a device that attaches has it of its launcher.
 */
export const channelEndpoints = [
  ...[listChannels, attachChannel, showChannel, detachChannel, drainChannel],
];
