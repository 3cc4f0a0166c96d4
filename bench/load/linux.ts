/**
 * Linux guests beside qemu-system-i386 without KVM, with the same kernel, initial root and command
 * line in alternating rounds; clones; and what the daemon's thread notices of guests that boot:
 *
 *     deno run -A bench/load/linux.ts [rounds]
 */
import { BOOT_MS, PROMPT, QUICK, shell } from "../../examples/demo/debian_guest.ts";
import { ConsoleClient, missingLinux } from "../../tests/support/linux_guest.ts";
import { LinuxDaemon } from "../../tests/support/linux_daemon.ts";
import { missingProgram } from "../../tests/support/skip.ts";
import { median, write } from "./measure.ts";

const CLONES = 5;
const PROBE_MS = 10;
const QEMU = "qemu-system-i386";

const missing = missingLinux();
if (missing !== undefined) {
  await write(`skipped: ${missing}`);
  Deno.exit(0);
}
const rounds = Number(Deno.args[0] ?? 3);
await using guests = await LinuxDaemon.open();
await bootTimes();
await cloneTimes();
await delaysWhileBooting();

async function bootTimes(): Promise<void> {
  const noQemu = missingProgram(QEMU);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const name = `boot-${round}`;
    const startMs = performance.now();
    const owner = await guests.boot(name);
    await guests.prompt(name);
    ours.push(performance.now() - startMs);
    await guests.request("DELETE", `/v1/guests/${name}`, owner);
    if (noQemu === undefined) theirs.push(await qemuBootMs());
  }
  const beside = noQemu ?? `${QEMU} without KVM: ${seconds(median(theirs))}`;
  await write(`POST to the shell's prompt, 128 MiB: ${seconds(median(ours))}; ${beside}`);
}

async function qemuBootMs(): Promise<number> {
  const { images } = guests;
  const startMs = performance.now();
  const child = new Deno.Command(QEMU, {
    args: [
      ...["-accel", "tcg", "-m", "128", "-nodefaults", "-display", "none", "-no-reboot"],
      ...["-serial", "stdio", "-kernel", `${images}/kernel`, "-initrd", `${images}/initrd`],
      ...["-append", QUICK],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), BOOT_MS);
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes(PROMPT)) break;
  }
  const tookMs = performance.now() - startMs;
  clearTimeout(timer);
  child.kill("SIGKILL");
  await child.status;
  if (!text.includes(PROMPT)) throw new Error(`${QEMU} showed no prompt: ${text.slice(-500)}`);
  return tookMs;
}

async function cloneTimes(): Promise<void> {
  const snapshot = await guests.snapshot("original");
  const tookMs: number[] = [];
  for (let index = 0; index < CLONES; index++) {
    const name = `clone-${index}`;
    const startMs = performance.now();
    const owner = await guests.clone(name, snapshot);
    const console = await ConsoleClient.open(guests.daemon, name);
    await shell(console, "true");
    tookMs.push(performance.now() - startMs);
    await console.close();
    await guests.request("DELETE", `/v1/guests/${name}`, owner);
  }
  const all = tookMs.map((ms) => `${Math.round(ms)}`).join(", ");
  await write(`clone of 128 MiB, POST to its first answered command: ${all} ms`);
}

/** How long the daemon takes to answer that it lives, while two guests boot. */
async function delaysWhileBooting(): Promise<void> {
  const idle = await probe(() => new Promise((resolve) => setTimeout(resolve, 3_000)));
  const names = ["beside-1", "beside-2"];
  const busy = await probe(async () => {
    await Promise.all(names.map((name) => guests.boot(name)));
    await Promise.all(names.map((name) => guests.prompt(name)));
  });
  await write(`/healthz while idle: ${idle}; while two guests boot: ${busy}`);
}

async function probe(during: () => Promise<unknown>): Promise<string> {
  let isOver = false;
  const tookMs: number[] = [];
  const probing = (async () => {
    while (!isOver) {
      const startMs = performance.now();
      await (await fetch(`${guests.daemon.url}/healthz`)).body?.cancel();
      tookMs.push(performance.now() - startMs);
      await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    }
  })();
  await during();
  isOver = true;
  await probing;
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  return `median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
