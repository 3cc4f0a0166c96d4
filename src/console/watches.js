/** @import { Api } from "./api.js" */

const PROTOCOL = "innkeeper.watch.v1";

/** How many scopes a page watches at once: enough for the cards of one board. */
const SCOPES_MAX = 25;

/**
 * Watches scopes to hear of each step of their watchers. It is not tracked, so no barrier waits for
 * this page.
 */
export class Watches {
  /** @type {Set<string>} */
  #wanted = new Set();
  /** @type {Set<string>} */
  #watched = new Set();
  /** @type {WebSocket | undefined} */
  #socket;
  #nextId = 1;

  /**
   * @param {Api} api
   * @param {(scope: string) => void} onStep
   */
  constructor(api, onStep) {
    this.api = api;
    this.onStep = onStep;
  }

  /**
   * Opens the socket with a ticket, because a page can set no header on a WebSocket.
   *
   * @param {AbortSignal} stop
   * @returns {Promise<{ closed: Promise<void> }>} When it is open
   */
  async open(stop) {
    const { ticket } = await (await this.api.send("POST", "/v1/tickets", { signal: stop })).json();
    const address = new URL(`/v1/watch?ticket=${encodeURIComponent(ticket)}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, PROTOCOL);
    stop.addEventListener("abort", () => socket.close(), { once: true });
    /** @type {Promise<void>} */
    const closed = new Promise((resolve) => {
      socket.addEventListener("close", () => {
        if (this.#socket === socket) this.#socket = undefined;
        resolve();
      });
    });
    socket.addEventListener("message", ({ data }) => this.#hear(socket, JSON.parse(data)));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", () => reject(new Error("no watch socket")), { once: true });
    });
    this.#socket = socket;
    this.#watched.clear();
    this.#agree();
    return { closed };
  }

  /**
   * Watches these scopes and no others.
   *
   * @param {Iterable<string>} scopes
   */
  want(scopes) {
    this.#wanted = new Set([...scopes].slice(0, SCOPES_MAX));
    this.#agree();
  }

  #agree() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    for (const scope of this.#watched.difference(this.#wanted)) {
      this.#send({ type: "unwatch", scope });
    }
    for (const scope of this.#wanted.difference(this.#watched)) {
      this.#send({ type: "watch", scope, name: "console", track: false, progress: true });
    }
    this.#watched = new Set(this.#wanted);
  }

  /** @param {Record<string, unknown>} frame */
  #send(frame) {
    this.#socket?.send(JSON.stringify({ id: this.#nextId++, ...frame }));
  }

  /**
   * @param {WebSocket} socket
   * @param {{ type: string, scope?: string, at?: unknown }} frame
   */
  #hear(socket, frame) {
    if (frame.type === "ping") return socket.send(JSON.stringify({ type: "pong", at: frame.at }));
    if (frame.type === "unwatched" && frame.scope !== undefined) {
      this.#watched.delete(frame.scope);
    }
    if (frame.scope !== undefined) this.onStep(frame.scope);
  }
}
