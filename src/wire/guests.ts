import { z } from "@hono/zod-openapi";
import {
  COMMAND_LINE_CHARS_MAX,
  DISKS_PER_GUEST_MAX,
  GUEST_LOADS_MAX,
  GUEST_PAGES_MAX,
  LINUX_MIB_MIN,
  MIB,
  OWNER_LEASE_MS_MAX,
  PAGE_BYTES,
  RUN_BUDGET_MS_DEFAULT,
  RUN_BUDGET_MS_MAX,
} from "../core/limits.ts";
import { EXIT_REASONS } from "../core/ports/guest_engine.ts";
import { ENGINE_NAMES } from "../guests/engines.ts";
import { GUEST_KINDS, GUEST_STATES } from "../guests/guest/state.ts";
import {
  Code,
  Name,
  pageQuery,
  pageView,
  refuse,
  Time,
  U32,
  U64,
  U64Text,
  wordOf,
} from "./scalars.ts";

const Base64 = z.base64().openapi({ description: "Bytes in base64", format: "byte" })
  .transform((text) => Uint8Array.fromBase64(text));

/** A piece of a guest's first memory: the whole of an inode, or bytes in the request itself. */
const LoadBody = z.strictObject({
  at: U64.describe("Address at which it begins"),
  inode: z.string().min(1).max(64).optional().openapi({ description: "Id of an inode, whole" }),
  bytes: Base64.optional(),
}).superRefine(({ inode, bytes }, ctx) => {
  if ((inode === undefined) === (bytes === undefined)) {
    refuse(ctx, "must have exactly one of inode and bytes");
  }
}).openapi("GuestLoad", {
  example: { at: "4096", bytes: "9A==" },
  description: "A piece of the first memory: an inode, or bytes",
});

const ProgramBody = z.strictObject({
  pfnLimit: z.int().min(1).max(GUEST_PAGES_MAX).openapi({
    description: "Pages of memory",
    example: 16,
  }),
  start: U64.openapi({ description: "Address of the first instruction" }),
  load: z.array(LoadBody).max(GUEST_LOADS_MAX).describe("What is in its memory at its start"),
}).openapi("GuestProgram", {
  example: { pfnLimit: 16, start: "4096", load: [{ at: "4096", bytes: "9A==" }] },
  description: "A program against the guest ABI",
});

const InodeId = z.string().min(1).max(64).openapi({ description: "Id of an inode" });

const DiskBody = z.strictObject({
  inode: InodeId.openapi({ description: "Inode that is read; what is written stays the guest's" }),
  readOnly: z.boolean().optional().default(false)
    .describe("Whether the guest may only read it"),
}).openapi("GuestDisk", {
  example: { inode: "5f0c9a3be2d1", readOnly: false },
  description: "A disk of a Linux guest",
});

const LinuxBody = z.strictObject({
  memoryMiB: z.int().min(LINUX_MIB_MIN).max(GUEST_PAGES_MAX * PAGE_BYTES / MIB).openapi({
    example: 128,
    description: "Its memory in MiB",
  }),
  kernel: InodeId.openapi({ description: "Inode of a 32-bit bzImage or vmlinux" }),
  initrd: InodeId.optional().describe("Inode of its first file system"),
  commandLine: z.string().max(COMMAND_LINE_CHARS_MAX).optional().openapi({
    example: "console=ttyS0 quiet",
    description: "Its kernel's command line",
  }),
  disks: z.array(DiskBody).max(DISKS_PER_GUEST_MAX).optional().default([])
    .describe("Its disks, in this order"),
  share: z.strictObject({ root: Name.describe("Name of the root") }).optional().openapi({
    description: "A root that it sees over 9p, read-only",
  }),
}).openapi("GuestLinux", {
  example: { memoryMiB: 128, kernel: "5f0c9a3be2d1", commandLine: "console=ttyS0 quiet" },
  description: "An unmodified 32-bit Linux",
});

/** `POST /v1/guests`. */
export const CreateGuestBody = z.strictObject({
  name: Name.optional().openapi({
    example: "hello",
    description: "Its id; a fresh one when it is left out",
  }),
  engine: wordOf(ENGINE_NAMES).optional().default("auto").describe("What executes it"),
  scope: Name.optional().openapi({ description: "Whose generation it shows; its own by default" }),
  leaseMs: z.int().min(1).max(OWNER_LEASE_MS_MAX).optional().openapi({
    description: "How long it outlives the last request that carried its owner's token",
  }),
  bare: ProgramBody.optional(),
  linux: LinuxBody.optional(),
  snapshot: Name.optional().openapi({ description: "Id of a snapshot to clone" }),
}).superRefine(({ bare, linux, snapshot }, ctx) => {
  if ([bare, linux, snapshot].filter((one) => one !== undefined).length !== 1) {
    refuse(ctx, "must have exactly one of bare, linux and snapshot");
  }
}).openapi("CreateGuestRequest", {
  example: {
    name: "hello",
    bare: { pfnLimit: 16, start: "4096", load: [{ at: "4096", bytes: "9A==" }] },
  },
  description: "A guest: exactly one of `bare`, `linux` and `snapshot` is there",
});

/** How a run ended. */
export const ExitView = z.object({
  reason: z.enum(EXIT_REASONS).describe("What ended it"),
  value: U64Text.optional().openapi({ description: "Of a notify" }),
  deathReason: z.string().optional().openapi({
    example: "CRASH: out of beds",
    description: "Why the guest is dead",
  }),
}).openapi("GuestExit", {
  example: { reason: "notify", value: "60480" },
  description: "How a run ended",
});

const GUEST = {
  kind: "`bare`: a program against the guest ABI; `linux`: an unmodified Linux",
  engine: "What executes it",
  scope: "The scope whose generation it shows",
  memoryBytes: "Size of its memory in bytes",
} as const;

const GuestShape = {
  id: z.string().openapi({ example: "hello", description: "Its id" }),
  kind: z.enum(GUEST_KINDS).describe(GUEST.kind),
  state: z.enum(GUEST_STATES).describe("What it does"),
  engine: z.string().openapi({ example: "v86", description: GUEST.engine }),
  scope: z.string().describe(GUEST.scope),
  generation: U32.openapi({ description: "What its data page shows" }),
  memoryBytes: U64Text.describe(GUEST.memoryBytes),
  createdAt: Time.describe("When it was made"),
  exit: ExitView.optional().openapi({ description: "Of the last run" }),
  notifies: z.int().min(0).openapi({ description: "Runs that a notify has ended" }),
  deathReason: z.string().optional().describe("Why it is dead; the first reason stays"),
  deathErrno: z.string().optional().openapi({
    example: "ERESTART",
    description: "POSIX name of that reason",
  }),
};

/** A guest as it is shown. */
export const GuestView = z.object(GuestShape)
  .openapi("Guest", {
    example: {
      id: "hello",
      kind: "bare",
      state: "ready",
      engine: "v86",
      scope: "hello",
      generation: 7,
      memoryBytes: "65536",
      createdAt: "2026-11-20T12:00:00.000000001Z",
      exit: { reason: "notify", value: "60480" },
      notifies: 1,
    },
    description: "A virtual machine: memory and one vCPU",
  });

const OWNER_TOKEN = "What its owner sends as `Innkeeper-Owner`; it is shown only here";

/** A guest that was just made. Its owner's token is shown only here. */
export const CreatedGuestView = z.object({
  ...GuestShape,
  ownerToken: z.string().describe(OWNER_TOKEN),
}).openapi("CreatedGuest", {
  example: {
    id: "hello",
    kind: "bare",
    state: "ready",
    engine: "v86",
    scope: "hello",
    generation: 7,
    memoryBytes: "65536",
    createdAt: "2026-11-20T12:00:00.000000001Z",
    exit: { reason: "notify", value: "60480" },
    notifies: 1,
    ownerToken: "4d1f0c5b7a9e4b3f8c2d6a7f00112233",
  },
  description: "A guest that was just made",
});

/** A page of guests. */
export const GuestList = pageView(GuestView)
  .openapi("GuestList", { description: "A page of guests" });

/** A new owner's token, shown only here. */
export const OwnerView = z.object({ ownerToken: z.string().describe(OWNER_TOKEN) })
  .openapi("GuestOwner", {
    example: { ownerToken: "4d1f0c5b7a9e4b3f8c2d6a7f00112233" },
    description: "The token of a new owner",
  });

const REGISTER = "Name of the register, as lguest has it";

/** A channel: an address, and how often it was notified since that was last taken. */
export const ChannelView = z.object({
  address: U32.openapi({ example: 60_480, description: "The address that the guest notifies" }),
  count: z.int().min(0).describe("How often it was notified since that was last taken"),
}).openapi("Channel", {
  example: { address: 60_480, count: 3 },
  description: "An address whose notifies are counted",
});

/** The channels of a guest, by address. */
export const ChannelList = z.object({
  items: z.array(ChannelView).describe("The channels, by address"),
}).openapi("ChannelList", { description: "The channels of a guest" });

/** `{g}`, the id of a guest. */
export const GuestParam = z.object({
  g: Name.openapi({ description: "Id of the guest", example: "hello" }),
});

/** `{g}` and `{address}`, a channel of a guest. */
export const ChannelParam = GuestParam.extend({
  address: U64.openapi({ description: "The address that the guest notifies", example: "60480" }),
});

/** `{g}` and `{name}`, a register of a guest. */
export const RegisterParam = GuestParam.extend({
  name: z.string().max(40).openapi({ description: REGISTER, example: "ax" }),
});

/** `{g}` and `{range}`, a range of a guest's memory. */
export const MemoryRangeParam = GuestParam.extend({
  range: z.string().openapi({ description: "FIRST-LAST, both inclusive", example: "4096-4099" }),
});

/** `{id}` of a snapshot. */
export const SnapshotParam = z.object({
  id: Name.openapi({ description: "Id of the snapshot", example: "snapshot-0011223344556677" }),
});

/** `?limit=&cursor=` of a list. */
export const GuestsQuery = z.strictObject(pageQuery(128));

/** `?vcpu=`: a guest has one virtual processor, whose number is 0. */
export const VcpuQuery = z.strictObject({
  vcpu: z.string().superRefine((text, ctx) => {
    if (text === "0") return;
    const message = `must be 0: received ${JSON.stringify(text.slice(0, 40))}`;
    refuse(ctx, message, /^[0-9]+$/.test(text) ? "vcpu-out-of-range" : "malformed-request");
  }).optional().openapi({
    type: "integer",
    minimum: 0,
    maximum: 0,
    example: 0,
    description: "The virtual processor; a guest has one",
  }),
});

/** `POST /v1/guests/{g}/runs`. */
export const RunBody = z.strictObject({
  budgetMs: z.int().min(1).max(RUN_BUDGET_MS_MAX).default(RUN_BUDGET_MS_DEFAULT)
    .describe("How long it may run, in milliseconds"),
}).openapi("RunRequest", { description: "How a guest is to run" });

/** `PUT /v1/guests/{g}/state`. */
export const StateBody = z.strictObject({
  state: wordOf(["ready", "running", "paused"]).describe("What it is to do"),
}).openapi("GuestStateRequest", { description: "The state that a guest is to have" });

/** `POST /v1/guests/{g}/interrupts`. The guest knows which lines there are, while it lives. */
export const InterruptBody = z.strictObject({
  line: z.int().describe("Number of the line; 0 is the timer"),
}).openapi("InterruptRequest", { example: { line: 0 }, description: "An interrupt line to raise" });

/** The registers of a guest, by lguest's names. */
export const RegistersView = z.record(z.string(), U64Text).openapi("Registers", {
  description: "Values of registers by lguest's names",
  example: { ip: "4096", ax: "1" },
});

/** One register. */
export const RegisterView = z.object({
  name: z.string().describe(REGISTER),
  value: U64Text.describe("Its value"),
}).openapi("Register", {
  example: { name: "ax", value: "1" },
  description: "A register and its value",
});

/** `PUT /v1/guests/{g}/registers/{name}`. */
export const RegisterBody = z.strictObject({ value: U64.describe("Its new value") })
  .openapi("RegisterRequest", { description: "The value that a register is to have" });

/** `PATCH /v1/guests/{g}/registers`: names and values, all or nothing. */
export const RegistersBody = z.record(z.string().max(40), U64).openapi("RegistersRequest", {
  example: { ax: "1", ip: "4096" },
  description: "Registers and the values that they are to have",
});

/** A snapshot as it is shown. One that cannot be read has `fault` instead of the rest. */
export const SnapshotView = z.object({
  id: z.string().openapi({ example: "snapshot-0011223344556677", description: "Its id" }),
  kind: z.enum(GUEST_KINDS).optional().describe(GUEST.kind),
  sizeBytes: U64Text.optional().describe("Size of its file in bytes"),
  guest: z.string().optional().describe("The guest that it was taken of"),
  scope: z.string().optional().describe("The scope of that guest"),
  generation: U32.optional().describe("What that guest may have seen"),
  engine: z.string().optional().describe(GUEST.engine),
  memoryBytes: U64Text.optional().describe(GUEST.memoryBytes),
  createdAt: Time.optional().describe("When it was taken"),
  fault: Code.optional().describe("Why it cannot be read; the rest is missing then"),
}).openapi("Snapshot", {
  example: {
    id: "snapshot-0011223344556677",
    kind: "linux",
    sizeBytes: "134217728",
    guest: "hello",
    scope: "vm-7",
    generation: 7,
    engine: "v86",
    memoryBytes: "134217728",
    createdAt: "2026-11-20T12:00:00.000000001Z",
  },
  description: "A paused guest as a file",
});

/** A page of snapshots. */
export const SnapshotList = pageView(SnapshotView)
  .openapi("SnapshotList", { description: "A page of snapshots" });
