import { deadline } from "@std/async";
import { WATCH_PROTOCOL } from "../../src/client/mod.ts";
import { hold, say, type Stage } from "./stage.ts";

const FRAME_MS = 10_000;

/** A frame of the watch socket. */
// deno-lint-ignore no-explicit-any -- the story reads members as they come
type Frame = Record<string, any>;

/** A program that watches a scope, on the other end of a WebSocket. */
class DemoWatcher {
  readonly #frames: Frame[] = [];
  #wake = (): void => {};

  constructor(readonly socket: WebSocket, readonly name: string) {
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "ping") return this.send({ type: "pong", at: frame.at });
      if (frame.type !== "hello") say(`  ${name} <- ${data}`);
      this.#frames.push(frame);
      this.#wake();
    };
  }

  /** Waits for the next frame of a type. */
  async next(type: string): Promise<Frame> {
    for (;;) {
      const index = this.#frames.findIndex((frame) => frame["type"] === type);
      if (index >= 0) return this.#frames.splice(index, 1)[0] as Frame;
      await deadline(new Promise<void>((resolve) => this.#wake = resolve), FRAME_MS);
    }
  }

  send(frame: Frame): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Confirms a generation by its exact value. */
  async confirm({ scope, generation, epoch }: Frame): Promise<void> {
    const frame = { type: "ack", id: 2, scope, generation, epoch };
    say(`  ${this.name} -> ${JSON.stringify(frame)}`);
    this.send(frame);
    await this.next("acked");
  }
}

/** Makes a scope, and three programs that watch it. */
export async function watchScope(stage: Stage, scope: string): Promise<readonly DemoWatcher[]> {
  await stage.request("PUT", `/v1/scopes/${scope}`, { json: {} });
  const watchers: DemoWatcher[] = [];
  for (const name of ["app", "cache", "sidecar"]) {
    const watcher = new DemoWatcher(stage.socket(WATCH_PROTOCOL, "/v1/watch"), name);
    await watcher.next("hello");
    watcher.send({ type: "watch", id: 1, scope, name, track: true });
    await watcher.next("watching");
    watchers.push(watcher);
  }
  return watchers;
}

/** Waits until all watchers are notified of a generation, and why. */
export async function allNotified(
  watchers: readonly DemoWatcher[],
  why: string,
): Promise<readonly Frame[]> {
  const notices = await Promise.all(watchers.map((watcher) => watcher.next("generation")));
  hold(notices.every(({ reason }) => reason === why), `all three watchers were told: ${why}`);
  return notices;
}

/** Lets two watchers confirm, shows that the barrier names the third, and lets that confirm too. */
export async function settle(
  stage: Stage,
  scope: string,
  watchers: readonly DemoWatcher[],
  notices: readonly Frame[],
): Promise<void> {
  say("\n# Two confirm; the barrier names the third.");
  const confirm = async (index: number): Promise<void> =>
    await watchers[index]?.confirm(notices[index] ?? {});
  const barrier = (prefer: string): ReturnType<Stage["request"]> =>
    stage.request("GET", `/v1/scopes/${scope}/barrier`, { headers: { prefer } });
  await confirm(0);
  await confirm(1);
  const shut = await barrier("wait=1");
  const names = shut.body.watchers.map(({ name }: { name: string }) => name).join();
  hold(shut.status === 409 && names === "sidecar", "409: sidecar is late");
  await confirm(2);
  hold((await barrier("wait=10")).status === 204, "204: safe to route");
  for (const { socket } of watchers) socket.close();
}

/** The part alone. */
export async function playGenerations(stage: Stage): Promise<void> {
  say("\n# Three programs watch the scope of a microVM.");
  const watchers = await watchScope(stage, "vm-7");
  say("\n# The microVM was restored: whoever restored it bumps the generation of its scope.");
  await stage.request("POST", "/v1/scopes/vm-7/bumps", { json: { reason: "restore" } });
  await settle(stage, "vm-7", watchers, await allNotified(watchers, "restore"));
}
