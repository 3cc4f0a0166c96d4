/// <reference lib="deno.worker" />
/**
 * Entry of a guest's Worker. It has one guest and does calls in the order in which they come. While
 * a run is in progress, signals and urgent calls are served and all others wait behind the run.
 *
 * @module
 */
import { wallClock } from "../../core/wall_clock.ts";
import { setImmediate } from "node:timers";
import type {
  GuestExit,
  GuestIdentity,
  GuestImage,
  GuestStart,
} from "../../core/ports/guest_engine.ts";
import type { PcDevices } from "../../core/ports/pc_devices.ts";
import { SystemError } from "../../core/system_error.ts";
import type { EngineThread } from "../lguest/thread.ts";
import { BareGuest } from "./bare_guest.ts";
import { answerTo, type Call, PendingCalls } from "./calls.ts";
import type { GuestOnThread } from "./guest_on_thread.ts";
import { PcGuest } from "./pc_guest.ts";
import {
  type DeviceCalls,
  type EngineCalls,
  type FromWorker,
  type Signal,
  URGENT,
} from "./protocol.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;

// v86 writes a line to the console for each mistake of a guest, so a guest could fill the log.
const silent = () => {};
Object.assign(globalThis.console, { error: silent, warn: silent, log: silent });

function post(message: FromWorker, transfer: Transferable[] = []): void {
  scope.postMessage(message, transfer);
}

/**
 * Of so many breaths, one waits for a timer. With immediates alone Deno looks at messages far too
 * seldom: an interrupt took 24 ms instead of 9, and up to 300 beside other guests. A timer at every
 * breath would halve the guest's speed; at every eighth it costs nothing measurable.
 */
const BREATHS_PER_TIMER = 8;

let breaths = 0;
let wake = (): void => {};
const thread: EngineThread = {
  wallNs: wallClock(() => Date.now(), () => performance.now()),
  monotonicMs: () => performance.now(),
  idle: (ms) =>
    new Promise((resolve) => {
      if (ms === 0) {
        if (++breaths % BREATHS_PER_TIMER === 0) setTimeout(resolve, 0);
        else setImmediate(resolve);
        return;
      }
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }),
  wake: () => wake(),
  notified: (rings) => post({ rings }),
};
const deviceCalls = new PendingCalls<DeviceCalls>(
  (request) => post({ request }),
  (text) => new SystemError("EIO", "serve", text),
);
const devices: PcDevices = {
  written: (line, written) => post({ line, written }, [written.buffer]),
  readDisk: (...args) => deviceCalls.call("readDisk", ...args),
  writeDisk: (...args) => deviceCalls.call("writeDisk", ...args),
  flushDisk: (...args) => deviceCalls.call("flushDisk", ...args),
  serve9p: (...args) => deviceCalls.call("serve9p", ...args),
};

let guest: GuestOnThread | undefined;
let runs = 0;
/** Numbers of the run in progress and of the last that was interrupted, -1 for none. */
let running = -1;
let interrupted = -1;
let last: Promise<void> = Promise.resolve();

function made(): GuestOnThread {
  if (guest === undefined) throw new TypeError("the guest is not initialized");
  return guest;
}

/** Calls that the guest object does not do itself. */
const calls = {
  async initialize({ pc, ...start }: GuestStart): Promise<void> {
    guest = pc === undefined
      ? await BareGuest.start(start, thread)
      : await PcGuest.start(start, pc, thread, devices);
  },
  async restore(image: GuestImage, identity: GuestIdentity): Promise<void> {
    guest = image.abi === undefined
      ? await PcGuest.restore(image, identity, thread, devices)
      : await BareGuest.restore(image, identity, thread);
  },
  async run(budgetMs: number): Promise<GuestExit> {
    const run = ++runs;
    // The interrupt can come while the run still waits behind an earlier call.
    if (interrupted === run) return { reason: "interrupted" };
    running = run;
    try {
      return await made().run(budgetMs);
    } finally {
      running = -1;
    }
  },
};

function take(signal: Signal): void {
  switch (signal.signal) {
    case "raise":
      return guest?.raise(signal.line);
    case "heard":
      return guest?.heard(signal.line);
    case "served":
      deviceCalls.settle(signal.answer);
      // The guest may be asleep while its device has something for it.
      return wake();
    case "interrupt":
      interrupted = signal.run;
      if (running === interrupted) guest?.interrupt();
  }
}

/** Buffers to hand over, so that memory is not copied once more. */
function buffersOf(value: unknown): ArrayBuffer[] {
  if (value instanceof Uint8Array) return [value.buffer as ArrayBuffer];
  if (typeof value !== "object" || value === null || !("pages" in value)) return [];
  const { bytes, devices } = value as GuestImage;
  return [bytes.buffer, devices.buffer];
}

async function respond(call: Call<EngineCalls>): Promise<void> {
  const answer = await answerTo(call.call in calls ? calls : made(), call);
  post({ answer }, "value" in answer ? buffersOf(answer.value) : []);
}

scope.onmessage = ({ data }: MessageEvent<Call<EngineCalls> | Signal>) => {
  if ("signal" in data) take(data);
  else if (guest !== undefined && URGENT.has(data.call)) void respond(data);
  else last = last.then(() => respond(data));
};
