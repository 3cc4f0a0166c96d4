/// <reference lib="deno.worker" />
/**
 * Entry of a guest's Worker: one guest, calls done in the order they come. While a run is in
 * progress only signals and urgent calls are looked at; the others wait behind it.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { GuestExit } from "../../core/ports/guest_engine.ts";
import { type GuestHost, V86Guest } from "./guest.ts";
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

/**
 * Every so many breaths the thread waits for a timer. With immediates alone Deno looks at messages
 * far too seldom: an interrupt took 24 ms instead of 9, and up to 300 beside other guests. A timer
 * at every breath would halve the guest's speed; at every eighth it costs nothing measurable.
 */
const BREATHS_PER_TIMER = 8;

let breaths = 0;
let wake = (): void => {};
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

let guest: V86Guest | undefined;
let running = -1;
let interrupted = -1;
let last: Promise<void> = Promise.resolve();

function made(): V86Guest {
  if (guest === undefined) throw new TypeError("the guest is not initialized");
  return guest;
}

async function answer(message: Call): Promise<Calls[CallName]["answer"]> {
  switch (message.call) {
    case "initialize":
      guest = await V86Guest.start(message.start, host);
      return undefined;
    case "restore":
      guest = await V86Guest.restore(message.image, message.identity, host);
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
      return made().capture();
    case "attach":
      made().attach(message.address);
      return undefined;
    case "detach":
      made().detach(message.address);
      return undefined;
    case "identify":
      made().identify(message.identity);
      return undefined;
  }
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
  if (signal.signal === "raise") guest?.raise(signal.line);
  else {
    interrupted = signal.run;
    if (running === interrupted) guest?.interrupt();
  }
}

/** Memory is handed over, not copied once more. */
function buffersOf(value: Calls[CallName]["answer"]): Transferable[] {
  if (value instanceof Uint8Array) return [value.buffer];
  return value !== undefined && "pages" in value ? [value.bytes.buffer] : [];
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
