/** A TCP port of loopback that was free a moment ago, for a daemon that is to come back to it. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
