/// <reference lib="deno.worker" />
/**
 * Entry of a guest's Worker: one guest, calls done in the order they come. While a run is in
 * progress only signals and urgent calls are looked at; the others wait behind it.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type {
  GuestExit,
  GuestIdentity,
  GuestImage,
  GuestStart,
} from "../../core/ports/guest_engine.ts";
import type { PcDevices } from "../../core/ports/pc_devices.ts";
import { BareGuest } from "./bare_guest.ts";
import { DeviceCalls } from "./device_calls.ts";
import type { GuestHost, GuestOnThread } from "./guest_on_thread.ts";
import { PcGuest } from "./pc_guest.ts";
import {
  type Answer,
  type Call,
  type CallName,
  type Calls,
  type Signal,
  type Told,
  URGENT,
} from "./protocol.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;

// v86 tells the console what a guest does wrong, a line each time: a guest could fill the log.
const silent = () => {};
Object.assign(globalThis.console, { error: silent, warn: silent, log: silent });

/**
 * Every so many breaths the thread waits for a timer. With immediates alone Deno looks at messages
 * far too seldom: an interrupt took 24 ms instead of 9, and up to 300 beside other guests. A timer
 * at every breath would halve the guest's speed; at every eighth it costs nothing measurable.
 */
const BREATHS_PER_TIMER = 8;

let breaths = 0;
let wake = (): void => {};
const devices = new DeviceCalls((told) => scope.postMessage(told satisfies Told));
const host: GuestHost = {
  wallNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)),
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
  notified: (rings) => scope.postMessage({ rings } satisfies Told),
};
const pcHost: GuestHost & PcDevices = {
  ...host,
  written: (line, written) => {
    scope.postMessage({ line, written } satisfies Told, [written.buffer]);
  },
  readDisk: (disk, at, length) => devices.ask({ device: "read", disk, at, length }),
  writeDisk: async (disk, at, bytes) => {
    await devices.ask({ device: "write", disk, at, bytes });
  },
  flushDisk: async (disk) => {
    await devices.ask({ device: "flush", disk });
  },
  serve9p: (message) => devices.ask({ device: "9p", message }),
};

let guest: GuestOnThread | undefined;
let running = -1;
let interrupted = -1;
let last: Promise<void> = Promise.resolve();

function made(): GuestOnThread {
  if (guest === undefined) throw new TypeError("the guest is not initialized");
  return guest;
}

async function answer(message: Call): Promise<Calls[CallName]["answer"]> {
  switch (message.call) {
    case "initialize":
      guest = await start(message.start);
      return undefined;
    case "restore":
      guest = await restore(message.image, message.identity);
      return undefined;
    case "run":
      return await run(message.id, message.budgetMs);
    case "registers":
      return made().registers;
    case "setRegisters":
      made().set(message.changes);
      return undefined;
    case "read":
      return made().read(message.at, message.length);
    case "write":
      made().write(message.at, message.bytes);
      return undefined;
    case "capture":
      return await made().capture();
    case "attach":
      made().attach(message.address);
      return undefined;
    case "detach":
      made().detach(message.address);
      return undefined;
    case "identify":
      made().identify(message.identity);
      return undefined;
    case "send":
      await made().send(message.line, message.bytes);
      return undefined;
  }
}

function start({ pc: shape, ...rest }: GuestStart): Promise<GuestOnThread> {
  if (shape === undefined) return BareGuest.start(rest, host);
  return PcGuest.start({ ...rest, shape }, pcHost);
}

function restore(image: GuestImage, identity: GuestIdentity): Promise<GuestOnThread> {
  if (image.abi !== undefined) return BareGuest.restore(image, identity, host);
  return PcGuest.restore(image, identity, pcHost);
}

async function run(id: number, budgetMs: number): Promise<GuestExit> {
  // The signal can come while the run still waits behind an earlier call.
  if (interrupted === id) return { reason: "interrupted" };
  running = id;
  try {
    return await made().run(budgetMs);
  } finally {
    running = -1;
  }
}

function take(signal: Signal): void {
  switch (signal.signal) {
    case "raise":
      return guest?.raise(signal.line);
    case "heard":
      return guest?.heard(signal.line);
    case "served":
      devices.served(signal);
      // A device has something to do for a guest that may be asleep.
      return wake();
    case "interrupt":
      interrupted = signal.run;
      if (running === interrupted) guest?.interrupt();
  }
}

/** Memory is handed over, not copied once more. */
function buffersOf(value: Calls[CallName]["answer"]): Transferable[] {
  if (value instanceof Uint8Array) return [value.buffer];
  if (value === undefined || !("pages" in value)) return [];
  return [value.bytes.buffer, value.devices.buffer];
}

async function respond(message: Call): Promise<void> {
  try {
    const value = await answer(message);
    scope.postMessage({ id: message.id, value } satisfies Answer, { transfer: buffersOf(value) });
  } catch (error) {
    scope.postMessage({ id: message.id, error: String(error) } satisfies Answer);
  }
}

scope.onmessage = ({ data }: MessageEvent<Call | Signal>) => {
  if ("signal" in data) take(data);
  else if (guest !== undefined && URGENT.has(data.call)) void respond(data);
  else last = last.then(() => respond(data));
};
