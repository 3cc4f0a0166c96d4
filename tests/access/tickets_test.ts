import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { TICKET_MS, TICKETS_MAX } from "../../src/core/limits.ts";
import { admin, Principal } from "../../src/access/tokens.ts";
import { Tickets } from "../../src/access/tickets.ts";
import { FakeClock } from "../support/clock.ts";
import { SeededRandom } from "../support/random.ts";

const me = admin("test");
const ORIGIN = "http://localhost:8787";

function bench() {
  const clock = new FakeClock();
  return { clock, tickets: new Tickets(clock, new SeededRandom(1)) };
}

Deno.test("Tickets.redeem() takes a ticket once", () => {
  const { tickets } = bench();
  const ticket = tickets.mint(me, ORIGIN);
  assertEquals(tickets.redeem(ticket, ORIGIN), me);
  assertThrows(() => tickets.redeem(ticket, ORIGIN), Fault, "ticket");
});

Deno.test("Tickets.redeem() refuses another origin, and the ticket is spent by that", () => {
  const { tickets } = bench();
  for (const other of ["http://evil.example", undefined, `${ORIGIN}/`]) {
    const ticket = tickets.mint(me, ORIGIN);
    assertThrows(() => tickets.redeem(ticket, other), Fault);
    assertThrows(() => tickets.redeem(ticket, ORIGIN), Fault);
  }
});

Deno.test("Tickets.redeem() refuses a ticket after its time", () => {
  const { tickets, clock } = bench();
  const [early, late] = [tickets.mint(me, ORIGIN), tickets.mint(me, ORIGIN)];
  clock.advance(TICKET_MS - 1);
  assertEquals(tickets.redeem(early, ORIGIN), me);
  clock.advance(1);
  assertThrows(() => tickets.redeem(late, ORIGIN), Fault);
});

Deno.test("Tickets.mint() stops at its bound, and goes on when tickets have run out", () => {
  const { tickets, clock } = bench();
  for (let n = 0; n < TICKETS_MAX; n++) tickets.mint(me, ORIGIN);
  assertEquals(assertThrows(() => tickets.mint(me, ORIGIN), Fault).code, "tickets-exhausted");
  clock.advance(TICKET_MS);
  tickets.mint(me, ORIGIN);
});

Deno.test("Tickets.mint() leaves tickets for others when one caller takes all it can", () => {
  const { clock, tickets } = bench();
  const greedy = new Principal("greedy", ["read"]);
  let count = 0;
  const fault = assertThrows(() => {
    for (; count < TICKETS_MAX; count++) tickets.mint(greedy, ORIGIN);
  }, Fault);
  assertEquals([fault.code, count], ["tickets-exhausted", 4375]);
  const other = new Principal("other", ["read"]);
  assertEquals(tickets.redeem(tickets.mint(other, ORIGIN), ORIGIN), other);
  assertEquals(tickets.redeem(tickets.mint(me, ORIGIN), ORIGIN), me);
  clock.advance(TICKET_MS);
  tickets.mint(greedy, ORIGIN);
});
