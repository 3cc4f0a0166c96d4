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
import { Code, Name, pageQuery, pageView, refuse, U32, U64, U64Text, wordOf } from "./scalars.ts";

const Base64 = z.base64().openapi({ description: "Bytes in base64", format: "byte" })
  .transform((text) => Uint8Array.fromBase64(text));

/** A piece of a guest's first memory: the whole of an inode, or bytes in the request itself. */
const LoadBody = z.strictObject({
  at: U64,
  inode: z.string().min(1).max(64).optional().openapi({ description: "Id of an inode, whole" }),
  bytes: Base64.optional(),
}).superRefine(({ inode, bytes }, ctx) => {
  if ((inode === undefined) === (bytes === undefined)) {
    refuse(ctx, "must have exactly one of inode and bytes");
  }
}).openapi("GuestLoad");

const ProgramBody = z.strictObject({
  pfnLimit: z.int().min(1).max(GUEST_PAGES_MAX).openapi({
    description: "Pages of memory",
    example: 16,
  }),
  start: U64.openapi({ description: "Address of the first instruction" }),
  load: z.array(LoadBody).max(GUEST_LOADS_MAX),
}).openapi("GuestProgram");

const InodeId = z.string().min(1).max(64).openapi({ description: "Id of an inode" });

const DiskBody = z.strictObject({
  inode: InodeId.openapi({ description: "Inode that is read; what is written stays the guest's" }),
  readOnly: z.boolean().optional().default(false),
}).openapi("GuestDisk");

const LinuxBody = z.strictObject({
  memoryMiB: z.int().min(LINUX_MIB_MIN).max(GUEST_PAGES_MAX * PAGE_BYTES / MIB).openapi({
    example: 128,
  }),
  kernel: InodeId.openapi({ description: "Inode of a 32-bit bzImage or vmlinux" }),
  initrd: InodeId.optional(),
  commandLine: z.string().max(COMMAND_LINE_CHARS_MAX).optional().openapi({
    example: "console=ttyS0 quiet",
  }),
  disks: z.array(DiskBody).max(DISKS_PER_GUEST_MAX).optional().default([]),
  share: z.strictObject({ root: Name }).optional().openapi({
    description: "A root that it sees over 9p, read-only",
  }),
}).openapi("GuestLinux");

/** `POST /v1/guests`. */
export const CreateGuestBody = z.strictObject({
  name: Name.optional(),
  engine: wordOf(ENGINE_NAMES).optional().default("auto"),
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
}).openapi("CreateGuestRequest");

/** How a run ended. */
export const ExitView = z.object({
  reason: z.enum(EXIT_REASONS),
  value: U64Text.optional().openapi({ description: "Of a notify" }),
  deathReason: z.string().optional().openapi({ example: "CRASH: out of beds" }),
}).openapi("GuestExit");

/** A guest as it is shown. */
export const GuestView = z.object({
  id: z.string().openapi({ example: "hello" }),
  kind: z.enum(GUEST_KINDS),
  state: z.enum(GUEST_STATES),
  engine: z.string().openapi({ example: "v86" }),
  scope: z.string(),
  generation: U32.openapi({ description: "What its data page shows" }),
  memoryBytes: U64Text,
  createdAt: z.iso.datetime({ precision: 9 }),
  exit: ExitView.optional().openapi({ description: "Of the last run" }),
  notifies: z.int().min(0).openapi({ description: "Runs that a notify has ended" }),
  deathReason: z.string().optional(),
  deathErrno: z.string().optional().openapi({ example: "ERESTART" }),
}).openapi("Guest");

/** A guest that was just made. Its owner's token is shown only here. */
export const CreatedGuestView = GuestView.extend({ ownerToken: z.string() })
  .openapi("CreatedGuest");

/** A page of guests. */
export const GuestList = pageView(GuestView).openapi("GuestList");

/** A new owner's token, shown only here. */
export const OwnerView = z.object({ ownerToken: z.string() }).openapi("GuestOwner");

/** A channel: an address, and how often it was notified since that was last taken. */
export const ChannelView = z.object({
  address: U32.openapi({ example: 60_480 }),
  count: z.int().min(0),
}).openapi("Channel");

/** The channels of a guest, by address. */
export const ChannelList = z.object({ items: z.array(ChannelView) }).openapi("ChannelList");

/** `?limit=&cursor=` of a list. */
export const GuestsQuery = z.strictObject(pageQuery(128));

/** `?vcpu=`: a guest has one virtual processor, whose number is 0. */
export const VcpuQuery = z.strictObject({
  vcpu: z.string().superRefine((text, ctx) => {
    if (text === "0") return;
    const message = `must be 0: received ${JSON.stringify(text.slice(0, 40))}`;
    refuse(ctx, message, /^[0-9]+$/.test(text) ? "vcpu-out-of-range" : "malformed-request");
  }).optional().openapi({ type: "integer", minimum: 0, maximum: 0 }),
});

/** `POST /v1/guests/{g}/runs`. */
export const RunBody = z.strictObject({
  budgetMs: z.int().min(1).max(RUN_BUDGET_MS_MAX).default(RUN_BUDGET_MS_DEFAULT),
}).openapi("RunRequest");

/** `PUT /v1/guests/{g}/state`. */
export const StateBody = z.strictObject({ state: wordOf(["ready", "running", "paused"]) })
  .openapi("GuestStateRequest");

/** `POST /v1/guests/{g}/interrupts`. The guest knows which lines there are, while it lives. */
export const InterruptBody = z.strictObject({ line: z.int() }).openapi("InterruptRequest");

/** The registers of a guest, by lguest's names. */
export const RegistersView = z.record(z.string(), U64Text).openapi("Registers", {
  example: { ip: "4096", ax: "1" },
});

/** One register. */
export const RegisterView = z.object({ name: z.string(), value: U64Text }).openapi("Register");

/** `PUT /v1/guests/{g}/registers/{name}`. */
export const RegisterBody = z.strictObject({ value: U64 }).openapi("RegisterRequest");

/** `PATCH /v1/guests/{g}/registers`: names and values, all or nothing. */
export const RegistersBody = z.record(z.string().max(40), U64).openapi("RegistersRequest");

/** A snapshot as it is shown. One that cannot be read has `fault` instead of the rest. */
export const SnapshotView = z.object({
  id: z.string().openapi({ example: "snapshot-0011223344556677" }),
  kind: z.enum(GUEST_KINDS).optional(),
  sizeBytes: U64Text.optional(),
  guest: z.string().optional(),
  scope: z.string().optional(),
  generation: U32.optional(),
  engine: z.string().optional(),
  memoryBytes: U64Text.optional(),
  createdAt: z.iso.datetime({ precision: 9 }).optional(),
  fault: Code.optional(),
}).openapi("Snapshot");

/** A page of snapshots. */
export const SnapshotList = pageView(SnapshotView).openapi("SnapshotList");
