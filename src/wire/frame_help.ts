/**
 * What the frames of the WebSockets are for, with an example of each, and what their members mean. A
 * member means the same in every frame that has it.
 *
 * @module
 */
import type { CONSOLE_FRAMES } from "./console_frames.ts";
import type { SERVER_FRAMES } from "./server_frames.ts";
import type { ClientFrame } from "./watch_frames.ts";

/** What a frame is for, and one as it is sent. */
export type FrameHelp = readonly [summary: string, example: Readonly<Record<string, unknown>>];

const UNIQUE = "6f1d3c5e8a9b4c2d8e7f60718293a4b5";
const GENERATION = { scope: "vm-7", generation: 7, epoch: "7" };
const QUIESCE = "q-0123456789abcdef";
const PROBLEM = {
  type: "/problems/scope-not-found",
  title: "Scope is unknown",
  status: 404,
  detail: 'Cannot find scope "vm-7": it does not exist',
  code: "scope-not-found",
  errno: "ENOENT",
  retryable: false,
};

/** Frames that a client sends. */
export const CLIENT_FRAME_HELP: Readonly<Record<ClientFrame["type"], FrameHelp>> = {
  watch: [
    "Watch a scope, newly or as before with the token of `watching`",
    { type: "watch", id: 1, scope: "vm-7", name: "app", track: true, leaseMs: 60_000 },
  ],
  ack: [
    "Confirm exactly this generation, once the program has adapted",
    { type: "ack", id: 2, ...GENERATION },
  ],
  fail: [
    "Say that the program could not adapt; a later `ack` clears it",
    { type: "fail", id: 3, scope: "vm-7", generation: 7, reason: "no entropy source" },
  ],
  quiesced: [
    "Say that the program stands still, or that it cannot",
    { type: "quiesced", id: 4, scope: "vm-7", quiesce: QUIESCE },
  ],
  unwatch: [
    "End the watch: barriers no longer wait for it",
    { type: "unwatch", id: 5, scope: "vm-7" },
  ],
  attach: [
    "Be told of a guest's notifies at an address",
    { type: "attach", id: 6, guest: "hello", address: 60_480 },
  ],
  drain: [
    "Take notifies off the count of an address",
    { type: "drain", id: 7, guest: "hello", address: 60_480, count: 3 },
  ],
  ping: ["Ask whether the daemon is there", { type: "ping", at: 1_795_176_000_000 }],
  pong: ["Answer a `ping` of the daemon", { type: "pong", at: 1_795_176_000_000 }],
};

/** Frames that the daemon sends on a watch. */
export const SERVER_FRAME_HELP: Readonly<Record<keyof typeof SERVER_FRAMES, FrameHelp>> = {
  hello: [
    "The first frame of a connection: what the daemon takes",
    { type: "hello", heartbeatMs: 15_000, limits: { frameBytes: 65_536, scopes: 1000 } },
  ],
  watching: [
    "Answers `watch`; keep the token to come back as the same watcher",
    {
      type: "watching",
      id: 1,
      ...GENERATION,
      watcher: "w-1",
      unique: UNIQUE,
      outdated: false,
      resumed: false,
      token: "4d1f0c5b7a9e4b3f8c2d6a7f00112233",
    },
  ],
  generation: [
    "A bump: adapt to it, then send `ack`. Of several only the newest is sent",
    {
      type: "generation",
      ...GENERATION,
      watcher: "w-1",
      unique: UNIQUE,
      reason: "restored from snapshot 12",
    },
  ],
  acked: ["Answers `ack`", { type: "acked", id: 2, scope: "vm-7", outdated: 0 }],
  failed: ["Answers `fail`", { type: "failed", id: 3, scope: "vm-7" }],
  quiesce: [
    "Stand still before a bump, then send `quiesced`",
    {
      type: "quiesce",
      scope: "vm-7",
      quiesce: QUIESCE,
      epoch: "7",
      reason: "a snapshot is taken",
      maxMs: 10_000,
    },
  ],
  quiesced: ["Answers `quiesced`", { type: "quiesced", id: 4, scope: "vm-7" }],
  unquiesce: [
    "Go on: the quiesce has ended without a bump",
    { type: "unquiesce", scope: "vm-7", quiesce: QUIESCE },
  ],
  settled: [
    "Everybody who is waited for has confirmed",
    { type: "settled", ...GENERATION, tookMs: 41.5 },
  ],
  progress: [
    "A watcher of the scope has made a step, for those who asked for `progress`",
    { type: "progress", ...GENERATION, phase: "settling", outdated: 1 },
  ],
  unwatched: [
    "Answers `unwatch`, or says without `id` that the scope was deleted",
    { type: "unwatched", id: 5, scope: "vm-7" },
  ],
  attached: ["Answers `attach`", { type: "attached", id: 6 }],
  notify: [
    "A guest has notified an address since the last frame of this kind",
    { type: "notify", guest: "hello", address: 60_480, count: 3 },
  ],
  drained: ["Answers `drain`", { type: "drained", id: 7, count: 0 }],
  error: ["A request was refused", { type: "error", id: 1, problem: PROBLEM }],
  ping: ["Asks whether the client is there: answer with `pong`", { type: "ping", at: 7 }],
  pong: ["Answers a `ping` of the client", { type: "pong", at: 1_795_176_000_000 }],
};

/** Text frames that the daemon sends on a console. */
export const CONSOLE_FRAME_HELP: Readonly<Record<keyof typeof CONSOLE_FRAMES, FrameHelp>> = {
  gap: ["Bytes between these two are no longer kept", { type: "gap", after: 0, before: 4096 }],
  error: ["Input was not taken", { type: "error", problem: PROBLEM }],
};

/** What a member means that its schema does not describe. */
export const MEMBER_HELP: Readonly<Record<string, string>> = {
  type: "What kind of frame it is",
  id: "Chosen by the client: the answer to the request has the same",
  scope: "Name of the scope",
  generation: "The generation, from 0 to 4294967295",
  epoch: "How many bumps the scope has had; it never wraps",
  unique: "16 random bytes of this bump in hexadecimal",
  watcher: "Id of the watcher",
  name: "Name of the watcher, which a scope may expect",
  token: "Lets the same watcher come back on another connection",
  outdated: "Of a watcher: whether it is waited for; of a scope: how many are",
  resumed: "Whether the watcher is the one whose token was sent",
  reason: "Why, for people",
  heartbeatMs: "How often the daemon sends `ping`, in milliseconds",
  limits: "What the daemon takes",
  frameBytes: "Size of the largest frame in bytes",
  scopes: "How many scopes one connection may watch",
  quiesce: "Tells this quiesce from every other one",
  maxMs: "How long it lasts at most, in milliseconds",
  tookMs: "How long it took from the bump on, in milliseconds",
  phase: "What the scope does",
  guest: "Id of the guest",
  address: "The address that the guest notifies",
  count: "How often it was notified",
  leaseMs: "How long the watcher is held after its connection has ended, in milliseconds",
  process: "The process that watches, by which its end is noticed",
  after: "Offset of the first byte that is missing",
  before: "Offset of the byte that comes next",
  owner: "Token of the guest's owner",
  problem: "Why, as a problem document (RFC 9457)",
  code: "The problem as a stable word",
  status: "The status that a request over HTTP would get",
  detail: "What failed, with the value, and what to do",
  at: "Any value, which the answer has as well",
};
