/** What the problems of guests come from, and what to do: cause and advice of each code. */
export const HELP_OF_GUESTS = {
  "guest-not-found": [
    "No guest has this id: it was deleted, or the daemon was restarted, which guests do not " +
    "outlive.",
    "Look at `GET /v1/guests`, or make it again, perhaps from a snapshot.",
  ],
  "already-initialized": [
    "A guest of this name exists.",
    "Use that guest, delete it, or choose another name.",
  ],
  "guests-exhausted": [
    "There are as many guests as are taken.",
    "Delete guests that nobody needs, dead ones too.",
  ],
  "memory-exhausted": [
    "The memory of all guests together would be more than the daemon gives.",
    "Delete guests, or make this one smaller.",
  ],
  "not-owner": [
    "Only the owner may do this, and the request has no owner's token or another one's.",
    "Send `Innkeeper-Owner` with the token that came with the guest. An admin can give it a " +
    "new owner.",
  ],
  "already-running": [
    "A run of the guest is on, and there is one at a time.",
    "Wait for its end, or pause the guest.",
  ],
  "wrong-state": [
    "The guest is running, paused or ready when it had to be otherwise.",
    "Bring it into the state that `detail` names with `PUT …/state`.",
  ],
  "guest-dead": [
    "The guest is dead. Its console and the reason can still be read.",
    "Read `deathReason`, delete the guest and make another one.",
  ],
  "line-out-of-range": [
    "The guest has no interrupt line of this number.",
    "Use a line that `detail` names.",
  ],
  "vcpu-out-of-range": [
    "A guest has one virtual processor, with the number 0.",
    "Leave `vcpu` out, or set it to 0.",
  ],
  "register-unknown": [
    "There is no register of this name.",
    "Use a name that `GET …/registers` lists.",
  ],
  "register-read-only": [
    "The register follows from others, and cannot be set.",
    "Set the registers from which it follows.",
  ],
  "address-out-of-range": [
    "The address or range is not in the guest's memory.",
    "Stay below `memoryBytes` of the guest.",
  ],
  "channel-not-found": [
    "Nobody has attached to this address.",
    "Attach first with `PUT …/channels/{address}`.",
  ],
  "channels-exhausted": [
    "The guest has as many channels as are taken.",
    "Detach from addresses that are not needed.",
  ],
  "wrong-guest-kind": [
    "The operation is for the other kind of guest: bare ones have channels, Linux ones a console.",
    "Look at the guest's `kind`.",
  ],
  "console-input-full": [
    "The guest has not read what was typed before.",
    "Wait until it reads, and send the rest again.",
  ],
  "engine-unavailable": [
    "The daemon has no engine that executes such a guest on this host.",
    "Use the engine `auto`, or another kind of guest.",
  ],
  "snapshot-not-found": [
    "No snapshot has this id.",
    "Look at `GET /v1/snapshots`.",
  ],
  "snapshot-damaged": [
    "The file of the snapshot is cut or changed: a checksum does not fit.",
    "Delete it and take another; restore it from a backup if there is one.",
  ],
  "snapshot-version": [
    "The snapshot was taken by a version of Innkeeper with another form.",
    "Clone it with that version, or take another.",
  ],
  "snapshots-exhausted": [
    "There are as many snapshots as are kept.",
    "Delete snapshots that nobody needs.",
  ],
} as const;
