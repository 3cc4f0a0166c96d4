import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { Daemon } from "../support/daemon.ts";

const ROOT = new URL("../..", import.meta.url);
const PATIENCE_MS = 20_000;

/** Steps of a client's life, in their order, at which it or the daemon is killed. */
const STEPS = [
  ...["before watch", "after watch", "got watching", "before token", "after token"],
  ...["got generation", "before adapting", "after adapting", "before ack", "after ack"],
  ...["got acked", "got quiesce", "before quiesced", "after quiesced", "got quiesced"],
  ...["got unquiesce", "before unwatch", "after unwatch", "got unwatched"],
];
/** Killed between these, the first token was given and never stored: nobody can come back with it. */
const WITHOUT_TOKEN = ["after watch", "got watching", "before token"];

/** A scope with one program, which may be killed and started again under its name. */
class Program {
  readonly scope: string;
  child!: Deno.ChildProcess;
  steps: string[] = [];
  /** Its daemon was killed: what it was about to do comes to nothing. */
  isCutOff = false;

  constructor(public daemon: Daemon, readonly folder: string, name: string) {
    this.scope = name;
  }

  get path(): string {
    return `/v1/scopes/${this.scope}`;
  }

  start(deadly = ""): void {
    this.steps = [];
    const { socketPath } = this.daemon;
    this.child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "tests/support/gate_client.ts", socketPath, this.scope]
        .concat(["app", this.folder, deadly]),
      cwd: ROOT,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    void this.#read(this.child, this.steps);
  }

  async #read(child: Deno.ChildProcess, steps: string[]): Promise<void> {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      steps.push(...text.trim().split("\n"));
    }
    steps.push("end");
  }

  /** Waits until the client has come to a step, or has ended. */
  async reaches(step: string): Promise<void> {
    await until(() => {
      if (this.isCutOff) throw new Error("the daemon was killed");
      return this.steps.includes(step) || this.steps.includes("end");
    }, () => `${this.scope} does not come to "${step}": ${this.steps.join(", ")}`);
  }

  /** kill -9 of the daemon, and its next start on the same state. */
  async restartDaemon(): Promise<void> {
    this.isCutOff = true;
    await this.daemon.stop("SIGKILL");
    // What it does from now on, it does with the next daemon, and perhaps before that is ready here.
    if (!this.steps.includes("end")) this.steps.length = 0;
    this.daemon = await Daemon.start({ folder: this.daemon.folder });
    await delay(20);
    this.isCutOff = false;
  }

  /** Whatever happened before: the program is there, the next bump is confirmed, and it ends. */
  async recovers(ghostsMax: number): Promise<void> {
    await this.judge();
    if (this.steps.includes("end")) this.start();
    await this.reaches("after token");
    await this.judge();
    await this.bump();
    await this.opens(ghostsMax);
    const { epoch } = await this.daemon.json(200, "GET", this.path);
    assertEquals(this.hasAdapted(epoch), true);
    await this.stop();
  }

  async stop(): Promise<void> {
    if (!this.steps.includes("end")) this.child.kill("SIGTERM");
    await this.reaches("end");
    await this.child.status;
  }

  hasAdapted(epoch: string): boolean {
    try {
      return Deno.readTextFileSync(`${this.folder}/adapted`).split("\n").includes(epoch);
    } catch {
      return false;
    }
  }

  /** (a): the barrier is open only for an epoch to which the program has adapted, or without it. */
  async judge(): Promise<boolean> {
    const { items } = await this.daemon.json(200, "GET", `${this.path}/watchers`);
    const answer = await this.daemon.fetch(`${this.path}/barrier`, {
      headers: { accept: "application/json" },
    });
    const { epoch } = await answer.json();
    const isOpen = answer.status === 200;
    // Whoever joined since the bump has nothing to adapt to.
    const isWatched = items.some((watcher: Record<string, unknown>) =>
      watcher["tracked"] && (watcher["outdated"] || watcher["ackedGeneration"] !== undefined)
    );
    if (isOpen && isWatched && epoch !== "0") {
      assert(this.hasAdapted(epoch), `${this.scope} opened for ${epoch}: ${JSON.stringify(items)}`);
    }
    return isOpen;
  }

  /** (b): the program is there and adapts: the barrier opens, after one call for each ghost. */
  async opens(ghostsMax: number): Promise<void> {
    let isOpen = false;
    await until(async () => {
      isOpen = await this.judge();
      const { items } = await this.daemon.json(200, "GET", `${this.path}/watchers?outdated=true`);
      // Whoever is lost and lives comes back: only so many are ghosts.
      return isOpen || items.length <= ghostsMax &&
          items.every(({ presence }: { presence: string }) => presence === "lost");
    }, () => `${this.scope} neither opens nor is left with ghosts`);
    if (isOpen) return;
    const { items } = await this.daemon.json(200, "GET", `${this.path}/watchers?outdated=true`);
    for (const { watcher } of items) {
      await this.daemon.json(204, "DELETE", `${this.path}/watchers/${watcher}`);
    }
    assert(await this.judge(), `${this.scope} stays shut after its ghosts were released`);
  }

  async bump(): Promise<void> {
    await this.daemon.json(201, "POST", `${this.path}/bumps`, { reason: "restore" });
  }
}

async function until(look: () => boolean | Promise<boolean>, why: () => string): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  while (!await look()) {
    assert(Date.now() < endMs, why());
    await delay(10);
  }
}

async function programOf(daemon: Daemon, name: string): Promise<Program> {
  await daemon.json(201, "PUT", `/v1/scopes/${name}`, {});
  return new Program(daemon, await Deno.makeTempDir({ prefix: "innkeeper-gate-" }), name);
}

/** A whole life: a bump that is confirmed, a quiesce that is followed and ends, and the end. */
async function live(program: Program, meanwhile: () => Promise<void>): Promise<void> {
  const { daemon, path } = program;
  await program.reaches("after token");
  await meanwhile();
  await program.bump();
  await program.reaches("got acked");
  await meanwhile();
  await daemon.json(202, "POST", `${path}/quiesce`, { reason: "snapshot" });
  await program.reaches("got quiesced");
  await meanwhile();
  await daemon.json(204, "DELETE", `${path}/quiesce`);
  await program.reaches("got unquiesce");
  await program.stop();
  await meanwhile();
}

Deno.test("kill -9 of a client at each step of watch, ack, quiesce and release: the gate opens neither early nor never", async () => {
  await using daemon = await Daemon.start();
  for (const [index, step] of STEPS.entries()) {
    const program = await programOf(daemon, `client-${index}`);
    program.start(step);
    await live(program, async () => void await program.judge());
    await program.bump();
    await program.recovers(WITHOUT_TOKEN.includes(step) ? 1 : 0);
  }
});

Deno.test("kill -9 of the daemon at each step of its client: the gate opens neither early nor never", async () => {
  let daemon = await Daemon.start();
  for (const [index, step] of STEPS.entries()) {
    const program = await programOf(daemon, `daemon-${index}`);
    program.start();
    const life = live(program, async () => {}).catch(() => {});
    await program.reaches(step);
    await program.restartDaemon();
    await life;
    ({ daemon } = program);
    // The daemon dies a little later than at the step: what it was about to receive has come.
    const isEarly = step === "before watch" || WITHOUT_TOKEN.includes(step);
    await program.recovers(isEarly ? 1 : 0);
  }
  await daemon.stop();
});

/** Requests of an operator, during which the daemon is killed. */
const OPERATIONS = {
  bump: (program: Program) => program.bump(),
  quiesce: ({ daemon, path }: Program) =>
    daemon.json(202, "POST", `${path}/quiesce`, { reason: "snapshot" }),
  release: async ({ daemon, path }: Program) => {
    const { items } = await daemon.json(200, "GET", `${path}/watchers`);
    await daemon.json(204, "DELETE", `${path}/watchers/${items[0].watcher}`);
  },
};

Deno.test("kill -9 of the daemon at any time of a bump, a quiesce and a release: the gate opens neither early nor never", async () => {
  let daemon = await Daemon.start();
  for (const [name, operate] of Object.entries(OPERATIONS)) {
    for (const delayMs of [0, 1, 3, 8]) {
      const program = await programOf(daemon, `${name}-${delayMs}`);
      program.start();
      await program.reaches("after token");
      const done = operate(program).catch(() => {});
      await delay(delayMs);
      await program.restartDaemon();
      await done;
      ({ daemon } = program);
      await program.recovers(0);
    }
  }
  await daemon.stop();
});
