import { assertEquals } from "@std/assert";
import { GrowthWatch } from "../../src/cli/growth_watch.ts";
import {
  SOCKET_LOOK_MS,
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

function watched(received?: bigint): { peer: Peer; look: (times?: number) => void } {
  const clock = new FakeClock();
  const watch = new GrowthWatch(clock);
  const peer = new Peer();
  peer.received = received;
  watch.add(peer as unknown as WebSocket, peer);
  const look = (times = 1): void => {
    for (let count = 0; count < times; count++) clock.advance(SOCKET_LOOK_MS);
  };
  return { peer, look };
}

Deno.test("GrowthWatch ends a unix socket only after several turns with unread bytes and no message", () => {
  const { peer, look } = watched();
  peer.unreadBytes = 1;
  look(SOCKET_UNREAD_LOOKS - 1);
  assertEquals(peer.isShut, false);
  peer.dispatchEvent(new Event("message"));
  look(SOCKET_UNREAD_LOOKS);
  assertEquals(peer.isShut, false);
  look();
  assertEquals(peer.isShut, true);
});

Deno.test("GrowthWatch ends a TCP connection that sends more than any message may have", () => {
  const { peer, look } = watched(0n);
  const bound = BigInt(SOCKET_UNFINISHED_BYTES_MAX);
  peer.received = bound;
  look(3);
  assertEquals(peer.isShut, false);
  peer.received = bound + 1n;
  peer.dispatchEvent(new Event("message"));
  look();
  assertEquals(peer.isShut, false);
  peer.received = 2n * bound + 2n;
  look();
  assertEquals(peer.isShut, true);
});
