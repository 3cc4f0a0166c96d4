import { assertEquals } from "@std/assert";
import { GrowthWatch } from "../../src/cli/growth_watch.ts";
import {
  SOCKET_LOOK_MS,
  SOCKET_SUSPECT_LOOK_MS,
  SOCKET_UNFINISHED_BYTES_MAX,
  SOCKET_UNREAD_LOOKS,
} from "../../src/core/limits.ts";
import type { HostSocket } from "../../src/core/ports/host_socket.ts";
import { FakeClock } from "../support/clock.ts";

/** A WebSocket and its connection, of which the host says what a test wants it to. */
class Peer extends EventTarget implements HostSocket {
  readonly readyState = WebSocket.OPEN;
  readonly cookie = 1n;
  unreadBytes = 0;
  received: bigint | undefined;
  isShut = false;

  peek(): number | undefined {
    return this.unreadBytes > 0 ? this.unreadBytes : undefined;
  }

  receivedBytes(): bigint | undefined {
    return this.received;
  }

  shutdown(): void {
    this.isShut = true;
  }
}

function watched(received?: bigint): { peer: Peer; wait: (ms: number) => void } {
  const clock = new FakeClock();
  const watch = new GrowthWatch(clock);
  const peer = new Peer();
  peer.received = received;
  watch.add(peer as unknown as WebSocket, peer);
  /** The turns that come within so many milliseconds. */
  const wait = (ms: number): void => clock.advance(ms);
  return { peer, wait };
}

Deno.test("GrowthWatch ends a unix socket only after several turns with unread bytes and no message", () => {
  const { peer, wait } = watched();
  peer.unreadBytes = 1;
  wait(SOCKET_LOOK_MS);
  for (let looks = 1; looks < SOCKET_UNREAD_LOOKS - 1; looks++) wait(SOCKET_SUSPECT_LOOK_MS);
  assertEquals(peer.isShut, false);
  peer.dispatchEvent(new Event("message"));
  wait(SOCKET_SUSPECT_LOOK_MS);
  assertEquals(peer.isShut, false, "a message came");
  wait(SOCKET_LOOK_MS);
  for (let looks = 1; looks < SOCKET_UNREAD_LOOKS; looks++) {
    assertEquals(peer.isShut, false);
    wait(SOCKET_SUSPECT_LOOK_MS);
  }
  assertEquals(peer.isShut, true);
});

Deno.test("GrowthWatch ends a TCP connection that sends more than any message may have", () => {
  const { peer, wait } = watched(0n);
  const bound = BigInt(SOCKET_UNFINISHED_BYTES_MAX);
  peer.received = bound;
  wait(3 * SOCKET_LOOK_MS);
  assertEquals(peer.isShut, false);
  peer.received = bound + 1n;
  peer.dispatchEvent(new Event("message"));
  wait(SOCKET_LOOK_MS);
  assertEquals(peer.isShut, false);
  peer.received = 2n * bound + 2n;
  wait(SOCKET_LOOK_MS);
  assertEquals(peer.isShut, true);
});
