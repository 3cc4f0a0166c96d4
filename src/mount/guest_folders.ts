/**
 * `DIR/guests`: a folder a guest, with its channels as eventfds.
 *
 * @module
 */
import type { Clock } from "../core/ports/clock.ts";
import type { Caller, Target } from "../core/rights.ts";
import type { Channels } from "../guests/guest/channels.ts";
import type { Guests } from "../guests/guests.ts";
import { O_ACCMODE, O_RDONLY } from "../native/constants.ts";
import type { Callers } from "./callers.ts";
import { GONE } from "./files/gone_file.ts";
import { OpenChannel } from "./files/channel_file.ts";
import type { MountedEntry, MountedFile, MountedFolder } from "./node.ts";
import { Refusal } from "./refusal.ts";

/** What the files of guests need. */
interface GuestFolderParts {
  readonly guests: Guests;
  readonly callers: Callers;
  readonly clock: Clock;
}

/** The folder of all guests. */
export function guestsFolder(parts: GuestFolderParts): MountedFolder {
  const { guests } = parts;
  return folder(parts, "/guests", {
    names: () => guests.list().map(({ id }) => id),
    guestOf: (name) => name,
    find: (name) => guestFolder(parts, name),
  });
}

function guestFolder(parts: GuestFolderParts, guest: string): MountedFolder {
  return folder(parts, `/guests/${guest}`, {
    names: () => ["channels"],
    guestOf: () => guest,
    find: () => channelsFolder(parts, guest),
  });
}

function channelsFolder(parts: GuestFolderParts, guest: string): MountedFolder {
  const channels = (): Channels => parts.guests.get(guest).channels;
  return folder(parts, `/guests/${guest}/channels`, {
    kind: "file",
    guestOf: () => guest,
    names: () => channels().list().map(({ address }) => String(address)),
    find: (name) => channelFile(parts, channels, guest, name),
  });
}

function channelFile(
  { callers, clock }: GuestFolderParts,
  channels: () => Channels,
  guest: string,
  address: string,
): MountedFile {
  return {
    kind: "file",
    path: `/guests/${guest}/channels/${address}`,
    permissions: 0o444,
    timeNs: () => 0n,
    size: () => 0,
    open(call) {
      callers.require(call, "guest", onGuest(guest));
      if ((call.flags & O_ACCMODE) !== O_RDONLY) throw new Refusal("EACCES");
      return new OpenChannel(channels(), BigInt(address), clock, call.wake);
    },
    // No guest outlives the daemon that runs it.
    reopen: () => GONE,
  };
}

function onGuest(name: string): Target {
  return { kind: "guests", name };
}

/** Nobody learns the names of guests with which they may do nothing. */
function maySee(caller: Caller, guest: string): boolean {
  return (["read", "guest", "irq"] as const).some((one) => caller.may(one, onGuest(guest)));
}

function folder(
  { callers }: GuestFolderParts,
  path: string,
  { names, guestOf, find, kind = "folder" }: {
    /** The guest that an entry belongs to. */
    readonly guestOf: (name: string) => string;
    readonly names: () => readonly string[];
    readonly find: (name: string) => MountedEntry;
    readonly kind?: MountedEntry["kind"];
  },
): MountedFolder {
  return {
    kind: "folder",
    path,
    timeNs: () => 0n,
    lookup(name, call) {
      if (!maySee(callers.known(call), guestOf(name))) throw new Refusal("EACCES");
      return this.find(name);
    },
    find: (name) => names().includes(name) ? find(name) : undefined,
    list(call) {
      const caller = callers.known(call);
      return names().filter((name) => caller.may("read", onGuest(guestOf(name)))).map((name) => ({
        name,
        kind,
      }));
    },
  };
}
