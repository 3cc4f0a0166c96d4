import { assert, assertEquals } from "@std/assert";
import { Admission, type Admitted } from "../../src/access/admission.ts";
import { Descriptors } from "../../src/core/descriptors.ts";
import { Fault } from "../../src/core/faults.ts";
import { CONNECTION_IDLE_MS, STRANGER_WAIT_MS } from "../../src/core/limits.ts";
import { FakeClock } from "../support/clock.ts";

/** A daemon with 46 descriptors for clients: 34 connections, of which 8 are for strangers. */
function setUp() {
  const clock = new FakeClock();
  const descriptors = new Descriptors(100, 34);
  const admission = new Admission(descriptors, clock);
  assertEquals([admission.strangersMax, admission.callersMax], [8, 26]);
  const ended: string[] = [];
  const admit = (name: string): Admitted => {
    const admitted = admission.admit(() => {
      ended.push(name);
      admitted.closed();
    });
    return admitted;
  };
  const known = (name: string, caller: string, isAdmin = false): Admitted => {
    const admitted = admit(name);
    admitted.began();
    admitted.identify(caller, isAdmin);
    return admitted;
  };
  return { clock, descriptors, admission, ended, admit, known };
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return "done";
  } catch (error) {
    assert(error instanceof Fault);
    assert(error.message.includes("ulimit -n"), error.message);
    return error.code;
  }
}

/** Waits for room while the loop turns. */
async function roomIn({ admission, clock }: ReturnType<typeof setUp>, turns: number) {
  let isThere = false;
  void admission.room().then(() => isThere = true);
  for (let turn = 0; turn < turns && !isThere; turn++) {
    await settle();
    clock.advance(1);
  }
  await settle();
  return isThere;
}

/** Lets everything go on that does not wait for the clock. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

Deno.test("Admission: the stranger that has waited longest goes for the next one", async () => {
  const parts = setUp();
  const { ended, admit } = parts;
  const strangers = Array.from({ length: 8 }, (_, n) => admit(`s${n}`));
  strangers[0]?.began();
  assert(await roomIn(parts, 2));
  assertEquals(ended, ["s1"], "the first one is being answered");
  admit("next");
  strangers[0]?.ended();
  for (let n = 0; n < 7; n++) {
    assert(await roomIn(parts, 2));
    admit(`more${n}`);
  }
  assertEquals(ended.slice(1), ["s2", "s3", "s4", "s5", "s6", "s7", "next"]);
  assert(await roomIn(parts, 2));
  assertEquals(ended.at(-1), "more0", "one that was never answered goes before one that was");
});

Deno.test("Admission: what a newcomer has sent is read before it goes for others", async () => {
  const parts = setUp();
  for (let n = 0; n < 8; n++) parts.admit(`s${n}`);
  assertEquals([await roomIn(parts, 1), parts.ended], [false, []]);
  parts.clock.advance(1);
  await settle();
  assertEquals(parts.ended, ["s0"]);
});

Deno.test("Admission: a stranger has ten seconds, a caller 75 without a request", () => {
  const { clock, ended, admit, known } = setUp();
  admit("silent");
  known("idle", "a").ended();
  known("busy", "a");
  clock.advance(STRANGER_WAIT_MS - 1000);
  assertEquals(ended, []);
  clock.advance(2000);
  assertEquals(ended, ["silent"]);
  clock.advance(CONNECTION_IDLE_MS * 2);
  assertEquals(ended, ["silent", "idle"]);
});

Deno.test("Admission: one caller leaves room for others, and all leave some for admins", () => {
  const { ended, known } = setUp();
  // 26 for callers, of which 4 are for admins; of the 22 one may have 16.
  for (let n = 0; n < 16; n++) known(`a${n}`, "a");
  assertEquals(codeOf(() => known("a17", "a")), "connections-exhausted");
  for (let n = 0; n < 6; n++) known(`b${n}`, "b");
  assertEquals(codeOf(() => known("b6", "b")), "connections-exhausted");
  for (let n = 0; n < 4; n++) known(`admin${n}`, "root", true);
  assertEquals(codeOf(() => known("admin4", "root", true)), "connections-exhausted");
  assertEquals(ended, []);
});

Deno.test("Admission: an idle connection of a caller goes for another request of the same", () => {
  const { ended, known } = setUp();
  known("idle", "a").ended();
  for (let n = 1; n < 16; n++) known(`a${n}`, "a");
  assertEquals(codeOf(() => known("a16", "a")), "done");
  assertEquals(ended, ["idle"]);
  assertEquals(codeOf(() => known("a17", "a")), "connections-exhausted");
});

Deno.test("Admission: newcomers wait while there is no room, and a WebSocket keeps its own", async () => {
  const { descriptors, admission, ended, admit, known } = setUp();
  const socket = known("socket", "a");
  while (descriptors.take("inodes", 1));
  const busy = descriptors.free("connections");
  for (let n = 0; n < busy; n++) known(`b${n}`, "root", true);
  let came = false;
  const room = admission.room().then(() => came = true);
  await settle();
  assertEquals([came, ended], [false, []]);
  socket.closed();
  await room;
  assertEquals(came, true);
  admit("next");
});
