import { assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { ownProcess } from "../../src/cli/own_process.ts";
import { Libc } from "../../src/native/libc.ts";
import { PeerProcesses } from "../../src/native/peer_processes.ts";
import type { ProcessIdentity } from "../../src/core/ports/processes.ts";

const CLIENT = `
  import { ownProcess } from "./src/cli/own_process.ts";
  const connection = await Deno.connect({ transport: "unix", path: Deno.args[0] });
  console.log(JSON.stringify(await ownProcess()));
  await connection.read(new Uint8Array(1));
`;

interface Peer extends AsyncDisposable {
  readonly process: ProcessIdentity;
  kill(): Promise<void>;
}

/** A process that holds a connection to a socket of ours. */
async function connect(): Promise<Peer> {
  const path = `${await Deno.makeTempDir()}/socket`;
  const listener = Deno.listen({ transport: "unix", path });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", CLIENT, path],
    cwd: new URL("../..", import.meta.url),
    stdout: "piped",
  }).spawn();
  const connection = await listener.accept();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.status;
  };
  return {
    process: JSON.parse(new TextDecoder().decode(value)),
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill().catch(() => {});
      connection.close();
      listener.close();
    },
  };
}

Deno.test("PeerProcesses believes a process by the credentials of its connection, and knows when it has ended", async () => {
  using libc = Libc.open();
  const processes = new PeerProcesses(libc);
  await using peer = await connect();
  const { process } = peer;
  assertEquals([processes.isPeer(process), processes.isGone(process)], [true, false]);
  await peer.kill();
  await retry(() => assertEquals(processes.isGone(process), true), { minTimeout: 5 });
  assertEquals(processes.isPeer(process), false);
});

Deno.test("PeerProcesses does not believe who is of another boot or namespace, is no peer, or started otherwise", async () => {
  using libc = Libc.open();
  const processes = new PeerProcesses(libc);
  await using peer = await connect();
  const { process } = peer;
  for (
    const liar of [
      { ...process, bootId: "00000000-0000-0000-0000-000000000000" },
      { ...process, pidNamespace: "1" },
      { ...process, startTime: "1" },
      { ...process, pid: 1 },
    ]
  ) assertEquals(processes.isPeer(liar), false, JSON.stringify(liar));
  // It is there and tells the truth, but no connection is its own.
  const stranger = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    const stat = await Deno.readTextFile(`/proc/${stranger.pid}/stat`);
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] as string;
    const own = { ...process, pid: stranger.pid, startTime };
    assertEquals([processes.isPeer(own), processes.isGone(own)], [false, false]);
  } finally {
    stranger.kill();
    await stranger.status;
  }
});

Deno.test("PeerProcesses takes no process of another boot or namespace for gone", async () => {
  using libc = Libc.open();
  const processes = new PeerProcesses(libc);
  const process = await ownProcess() as ProcessIdentity;
  const ended = { ...process, pid: 2 ** 22 + 1 };
  assertEquals(processes.isGone(ended), true);
  assertEquals(processes.isGone({ ...ended, bootId: "other" }), false);
  assertEquals(processes.isGone({ ...ended, pidNamespace: "1" }), false);
  // The number was given to another process since.
  assertEquals(processes.isGone({ ...process, startTime: "1" }), true);
});
