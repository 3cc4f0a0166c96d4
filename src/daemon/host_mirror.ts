import { commit } from "../core/commit.ts";
import { HOST_SOURCE_LOOK_MS, HOST_SOURCE_RETRY_MS, HOST_SOURCE_WAIT_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import { waitUntil } from "../core/wait_until.ts";
import type { HostSource } from "../generations/host_source.ts";
import type { LiveScope } from "../generations/live_scope.ts";

/** What the mirror works with. */
interface HostMirrorParts {
  /** The scope that stands for the whole machine. */
  readonly scope: LiveScope;
  readonly sources: readonly HostSource[];
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly events: EventSink;
}

/**
 * Bumps a scope whenever a counter of the host changes, which means that the machine on which the
 * daemon runs was itself restored or cloned. Only the change is mirrored and not the number, because
 * clones of one snapshot show the same number.
 */
export class HostMirror {
  readonly #parts: HostMirrorParts;
  /** By path, what each source showed when it was last mirrored. */
  readonly #mirrored: Map<string, bigint>;
  readonly #stop = new AbortController();
  #following: readonly Promise<void>[] = [];

  private constructor(parts: HostMirrorParts, mirrored: Map<string, bigint>) {
    this.#parts = parts;
    this.#mirrored = mirrored;
  }

  /**
   * Looks at every source once, because the host may have been restored while no daemon ran, and
   * then follows them.
   */
  static async open(parts: HostMirrorParts): Promise<HostMirror> {
    const rows = await parts.ledger.load("host-source");
    const mirrored = new Map(rows.map(({ id, body }) => [id, BigInt(body as string)]));
    const mirror = new HostMirror(parts, mirrored);
    for (const source of parts.sources) await mirror.#begin(source);
    mirror.#following = parts.sources.map((source) => mirror.#follow(source));
    return mirror;
  }

  /** Stops following, and closes the sources. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#following);
    await Promise.all(this.#parts.sources.map(({ device }) => device.close()));
  }

  async #begin(source: HostSource): Promise<void> {
    const { path } = source.device;
    try {
      const shown = await source.read();
      // A source that is seen for the first time has not changed.
      if (shown !== undefined && !this.#mirrored.has(path)) await this.#remember(path, shown);
      else await this.#look(source);
      const data = shown === undefined ? {} : { data: { generation: shown } };
      this.#parts.events.emit({ kind: "host-source.found", subject: path, ...data });
    } catch (error) {
      this.#emitFailure(path, error);
    }
  }

  async #follow(source: HostSource): Promise<void> {
    const { device } = source;
    let isFailing = false;
    while (!this.#stop.signal.aborted) {
      try {
        const outcome = await device.wait(HOST_SOURCE_WAIT_MS);
        if (outcome === "nothing" || this.#stop.signal.aborted) continue;
        const isNews = await this.#look(source);
        isFailing = false;
        // A kernel without poll for this device always says that it is readable.
        if (!isNews) await this.#rest(HOST_SOURCE_LOOK_MS);
      } catch (error) {
        if (!isFailing) this.#emitFailure(device.path, error);
        isFailing = true;
        await this.#rest(HOST_SOURCE_RETRY_MS);
      }
    }
  }

  /** @returns Whether the source had changed */
  async #look(source: HostSource): Promise<boolean> {
    const { path } = source.device;
    const shown = await source.read();
    if (shown === undefined) return false;
    const isNews = shown !== this.#mirrored.get(path);
    if (isNews) {
      const reason = `${path} shows generation ${shown}`;
      // The restore has happened already, so a quiesce would come too late.
      await this.#parts.scope.bump({ reason, by: "host", force: true });
      // After the bump: a crash in between makes a second bump, which harms nobody.
      await this.#remember(path, shown);
    }
    await source.confirm(shown);
    return isNews;
  }

  async #remember(path: string, shown: bigint): Promise<void> {
    await commit(this.#parts.ledger, [{ kind: "host-source", id: path, body: String(shown) }]);
    this.#mirrored.set(path, shown);
  }

  /** Waits for this time, or until the mirror is closed. */
  async #rest(waitMs: number): Promise<void> {
    const listen = () => () => {};
    const { clock } = this.#parts;
    await waitUntil(() => undefined, { clock, listen, waitMs, signal: this.#stop.signal });
  }

  #emitFailure(path: string, error: unknown): void {
    const reason = (error as Error).message;
    this.#parts.events.emit({ kind: "host-source.failed", subject: path, reason });
  }
}
