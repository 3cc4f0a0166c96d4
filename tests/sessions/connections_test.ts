import { assertEquals } from "@std/assert";
import { HEARTBEAT_MS } from "../../src/core/limits.ts";
import { admin, Principal } from "../../src/access/tokens.ts";
import { CLOSE, type Connection, Connections } from "../../src/sessions/connections.ts";
import { FakeClock } from "../support/clock.ts";

function bench() {
  const clock = new FakeClock();
  const connections = new Connections(clock);
  const connect = (principal: Principal = admin("test")) => {
    const closed: number[] = [];
    let pings = 0;
    const connection: Connection = {
      principal,
      closed: Promise.resolve(),
      ping: () => pings++,
      close(code) {
        closed.push(code);
        connections.delete(connection);
      },
    };
    connections.add(connection);
    return { connection, closed, pings: () => pings };
  };
  return { clock, connections, connect };
}

Deno.test("Connections pings, and ends who is silent for two heartbeats", () => {
  const { clock, connections, connect } = bench();
  const silent = connect();
  const alive = connect();
  clock.advance(HEARTBEAT_MS);
  connections.heard(alive.connection);
  clock.advance(HEARTBEAT_MS);
  assertEquals([silent.pings(), silent.closed], [1, [CLOSE.silent]]);
  assertEquals([alive.pings(), alive.closed], [2, []]);
  connections.delete(alive.connection);
  assertEquals(clock.pending, 0);
});

Deno.test("Connections.close() ends all, or those that are picked", async () => {
  const { connections, connect } = bench();
  const one = connect(new Principal("one", ["watch"]));
  const other = connect(new Principal("other", ["watch"]));
  await connections.close(CLOSE.tokenRemoved, "gone", ({ principal }) => principal.name === "one");
  assertEquals([one.closed, other.closed], [[4401], []]);
  await connections.close(CLOSE.restart, "stop");
  assertEquals([one.closed, other.closed, connections.count], [[4401], [1012], 0]);
});
