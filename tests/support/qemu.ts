import { assert } from "@std/assert";
import { deadline } from "@std/async";
import type { Rendering, Step, UndoStep } from "../../src/devices/render/rendering.ts";

const ANSWER_MS = 10_000;
const START_TRIES = 200;

// deno-lint-ignore no-explicit-any -- answers of QEMU are asserted member by member
type Answer = any;

/** What QEMU answered to a command that it refused. */
export class QmpError extends Error {
  override readonly name = "QmpError";
}

async function connect(path: string): Promise<Deno.UnixConn> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

/** A program in a process of its own that ends with the test. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  constructor(name: string, args: readonly string[]) {
    this.#child = new Deno.Command(name, { args: [...args], stdin: "null", stdout: "null" })
      .spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
  }
}

/** A real QEMU without a guest, which never runs: only its monitor is used. */
export class Qemu implements AsyncDisposable {
  readonly #program: Program;
  readonly #connection: Deno.UnixConn;
  readonly #events: Answer[] = [];
  #answered = Promise.withResolvers<Answer>();
  #notices = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;

  private constructor(program: Program, connection: Deno.UnixConn) {
    this.#program = program;
    this.#connection = connection;
    this.#reading = this.#read();
  }

  /** Starts one with four root ports `rp0` … `rp3` and a SCSI controller `scsi0`. */
  static async start(folder: string, args: readonly string[] = []): Promise<Qemu> {
    const socket = `${folder}/qmp-${crypto.randomUUID().slice(0, 8)}.sock`;
    const ports = [0, 1, 2, 3].flatMap((n) => [
      "-device",
      `pcie-root-port,id=rp${n},chassis=${n + 1},slot=${n + 1}`,
    ]);
    const program = new Program("qemu-system-x86_64", [
      ...["-S", "-nodefaults", "-display", "none", "-accel", "tcg"],
      ...["-machine", "q35,nvdimm=on,memory-backend=mem", "-m", "64M,slots=4,maxmem=1G"],
      ...["-object", "memory-backend-memfd,id=mem,size=64M,share=on"],
      ...[...ports, "-device", "virtio-scsi-pci,id=scsi0"],
      ...["-qmp", `unix:${socket},server=on,wait=off`, ...args],
    ]);
    const qemu = new Qemu(program, await connect(socket));
    await qemu.#answer();
    await qemu.run("qmp_capabilities");
    return qemu;
  }

  /** Runs a command. */
  async run(execute: string, args?: unknown): Promise<Answer> {
    const command = { execute, ...(args === undefined ? {} : { arguments: args }) };
    const writer = this.#connection.writable.getWriter();
    await writer.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
    writer.releaseLock();
    const answer = await this.#answer();
    if (answer.error !== undefined) throw new QmpError(`${execute}: ${answer.error.desc}`);
    return answer.return;
  }

  /** Runs the steps of a rendering; one that fails is told by its index. */
  async plug({ steps }: Rendering): Promise<{ failedAt: number | undefined; why?: string }> {
    for (const [at, step] of steps.entries()) {
      try {
        await this.#step(step);
      } catch (error) {
        if (error instanceof QmpError) return { failedAt: at, why: error.message };
        throw error;
      }
    }
    return { failedAt: undefined };
  }

  /** Plays the steps back of a rendering for all steps below `failedAt`, and waits as it says. */
  async unplug({ undo, waitFor }: Rendering, failedAt = Infinity): Promise<void> {
    for (const [at, step] of undo.entries()) {
      if (step.undoes >= failedAt) continue;
      await this.#step(step);
      const wait = waitFor.find(({ afterUndo }) => afterUndo === at);
      if (wait === undefined) continue;
      // There is no guest that could let go of a device; a reset stands for it.
      await this.run("system_reset");
      await this.event(wait.event, wait.data["device"] ?? "");
    }
  }

  /** Waits for an event that concerns a device, and takes it. */
  async event(name: string, device: string): Promise<void> {
    for (;;) {
      const at = this.#events.findIndex(({ event, data }) =>
        event === name && data.device === device
      );
      if (at >= 0) return void this.#events.splice(at, 1);
      await deadline(this.#notices.promise, ANSWER_MS);
    }
  }

  /** Names of everything that plugging could leave behind. */
  async leftovers(): Promise<string[]> {
    const nodes = await this.run("query-named-block-nodes");
    const chardevs = await this.run("query-chardev");
    const objects = await this.run("qom-list", { path: "/objects" });
    const peripherals = await this.run("qom-list", { path: "/machine/peripheral" });
    const found: string[] = [
      ...nodes.map((node: Answer) => `node ${node["node-name"]}`),
      ...chardevs.map((chardev: Answer) => `chardev ${chardev.label}`),
      ...[...objects, ...peripherals].filter(({ type }: Answer) => type.startsWith("child<"))
        .map(({ name }: Answer) => name),
    ];
    const own = /^(chardev compat_monitor0|mem|rp\d|scsi0)$/;
    return found.filter((name) => !own.test(name)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#reading;
  }

  async #step(step: Step | UndoStep): Promise<void> {
    assert(step.type === "qmp", `${step.type} is no command for QEMU's monitor`);
    await this.run(step.execute, step.arguments);
  }

  async #answer(): Promise<Answer> {
    const answer = await deadline(this.#answered.promise, ANSWER_MS);
    this.#answered = Promise.withResolvers();
    return answer;
  }

  async #read(): Promise<void> {
    let rest = "";
    try {
      for await (const text of this.#connection.readable.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines.filter((one) => one.trim() !== "")) {
          const message = JSON.parse(line);
          if (!("event" in message)) {
            this.#answered.resolve(message);
            continue;
          }
          this.#events.push(message);
          this.#notices.resolve();
          this.#notices = Promise.withResolvers();
        }
      }
    } catch (error) {
      // QEMU was killed at the end of the test.
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }
}
