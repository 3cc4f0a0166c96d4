/**
 * The floor of a fan-out: a bare Deno server that broadcasts one prepared string to a set of
 * sockets and counts what comes back. No names, no epochs, no ledger, no page, no authentication.
 * `POST /bump` answers when all have confirmed, with the milliseconds that took. Prints its port.
 */
const sockets = new Set<WebSocket>();
let missing = 0;
let settled: (() => void) | undefined;
let generation = 0;

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => void Deno.stdout.write(new TextEncoder().encode(`${port}\n`)),
}, async (request) => {
  if (request.method === "POST") {
    const all = Promise.withResolvers<void>();
    settled = all.resolve;
    missing = sockets.size;
    const text = JSON.stringify({
      type: "generation",
      scope: "load",
      watcher: "w-0011223344556677",
      generation: ++generation,
      epoch: String(generation),
      unique: "00112233445566778899aabbccddeeff",
      reason: "load",
    });
    const start = performance.now();
    for (const socket of sockets) socket.send(text);
    await all.promise;
    return Response.json(performance.now() - start);
  }
  const { response, socket } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "ack" && frame.generation === generation && --missing === 0) settled?.();
  };
  return response;
});
