/** @import { Api } from "./api.js" */
/** @import { Connection } from "./types.ts" */
import { Refused } from "./api.js";
import { followEvents } from "./events.js";
import { Watches } from "./watches.js";

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 8_000;
/** How often the page looks anew while it does not hear of each step. */
const POLL_MS = 2_000;

/** The page's connections: one for the events of all scopes, one for each step of a few. */
export class Live {
  #stop = new AbortController();
  /** @type {Connection} */
  connection = { state: "connecting" };
  #hasEvents = false;
  #hasSteps = false;

  /**
   * @param {Api} api
   * @param {(connection: Connection) => void} onConnection
   * @param {(scope?: string) => void} onChange Something happened to a scope, or to any
   */
  constructor(api, onConnection, onChange) {
    this.api = api;
    this.onConnection = onConnection;
    this.onChange = onChange;
    this.watches = new Watches(api, onChange);
  }

  start() {
    void this.#reconnect(() => this.#follow());
    void this.#reconnect(() => this.#watch());
    const poll = setInterval(() => {
      if (this.connection.state === "slow") this.onChange();
    }, POLL_MS);
    this.#stop.signal.addEventListener("abort", () => clearInterval(poll), { once: true });
  }

  stop() {
    this.#stop.abort();
  }

  /**
   * Makes a connection, and makes it again whenever it ends.
   *
   * @param {() => Promise<void>} connect Resolves when the connection ends; rejects when there was
   * none
   */
  async #reconnect(connect) {
    let retryMs = RETRY_MS_MIN;
    while (!this.#stop.signal.aborted) {
      try {
        await connect();
        retryMs = RETRY_MS_MIN;
      } catch (error) {
        if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
          return this.#tell({ state: "refused", why: error.message });
        }
      }
      if (!this.#hasEvents) this.#tell({ state: "lost", retryAtMs: Date.now() + retryMs });
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    }
  }

  async #follow() {
    const opened = () => {
      this.#hasEvents = true;
      this.#tellLive();
      this.onChange();
    };
    try {
      await followEvents(this.api, this.#stop.signal, opened, ({ kind, subject }) => {
        if (kind.startsWith("scope.") || kind.startsWith("watcher.")) this.onChange(subject);
        else if (kind === "gap") this.onChange();
      });
    } finally {
      this.#hasEvents = false;
    }
  }

  async #watch() {
    try {
      const { closed } = await this.watches.open(this.#stop.signal);
      this.#hasSteps = true;
      this.#tellLive();
      this.onChange();
      await closed;
    } finally {
      this.#hasSteps = false;
      this.#tellLive();
    }
  }

  #tellLive() {
    if (this.#hasEvents) this.#tell({ state: this.#hasSteps ? "live" : "slow" });
  }

  /** @param {Connection} connection */
  #tell(connection) {
    if (this.#stop.signal.aborted || this.connection.state === "refused") return;
    this.connection = connection;
    this.onConnection(connection);
  }
}
