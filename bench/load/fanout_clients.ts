/**
 * Many watchers in one process of their own: `fanout_clients.ts URL COUNT [TOKEN
 * tracked|untracked]`. With a token they speak `innkeeper.watch.v1` to a daemon, else the floor's bare frames. Each confirms at once
 * what it is told. Prints a line when all are connected.
 */
function connect(url: string, token: string | undefined, name: string): Promise<WebSocket> {
  const socket = token === undefined ? new WebSocket(url) : new WebSocket(url, {
    protocols: ["innkeeper.watch.v1"],
    headers: { authorization: `Bearer ${token}` },
  });
  return new Promise((resolve, reject) => {
    socket.onerror = (event) => reject(new Error(`${name}: ${(event as ErrorEvent).message}`));
    socket.onopen = () => token === undefined && resolve(socket);
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      switch (frame.type) {
        case "hello":
          return socket.send(
            JSON.stringify({ type: "watch", id: 1, scope: "load", name, track: isTracked }),
          );
        case "watching":
          return resolve(socket);
        case "generation":
          return socket.send(JSON.stringify({
            type: "ack",
            id: 2,
            scope: frame.scope,
            generation: frame.generation,
            epoch: frame.epoch,
          }));
        case "ping":
          return socket.send(JSON.stringify({ type: "pong", at: frame.at }));
      }
    };
  });
}

const [url = "", count = "0", token, tracked] = Deno.args;
const isTracked = tracked === "tracked";
for (let done = 0; done < Number(count); done += 100) {
  const some = Math.min(100, Number(count) - done);
  await Promise.all(
    Array.from({ length: some }, (_, n) => connect(url, token, `w${done + n}`)),
  );
}
await Deno.stdout.write(new TextEncoder().encode("connected\n"));
