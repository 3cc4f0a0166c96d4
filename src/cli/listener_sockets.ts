import { delay } from "@std/async";
import type { Listener } from "../access/listener.ts";
import {
  type ListenerHost,
  type ListenersPorts,
  RunTimeListeners,
} from "../access/run_time_listeners.ts";
import { Fault } from "../core/faults.ts";
import type { SocketFiles, SocketNode } from "../core/ports/socket_files.ts";
import { Serial } from "../core/serial.ts";
import { SystemError } from "../core/system_error.ts";

/** The path at which sockets that are made at run time are bound, before they are moved. */
export function listenerSlot({ run }: { readonly run: string }): string {
  return `${run}/private/listener.sock`;
}

type Server = Deno.HttpServer<Deno.UnixAddr>;

/** Looks for the end of a server's name, and the pause between two: half a second in all. */
const SLOT_TRIES = 100;
const SLOT_PAUSE_MS = 5;

/** Answers a request that came in at a listener. */
type Answer = (request: Request, listener: Listener) => Response | Promise<Response>;

/** The listeners that are made at run time, with sockets on this host. */
export function runTimeListeners(
  config: { readonly run: string },
  files: SocketFiles,
  { answer, ...ports }: Omit<ListenersPorts, "host"> & { readonly answer: Answer },
): RunTimeListeners {
  return new RunTimeListeners({
    ...ports,
    host: new ListenerSockets(listenerSlot(config), files, answer),
  });
}

/** What to do about the commonest errors. */
const ADVICE: Readonly<Record<string, string>> = {
  EEXIST: "something else is there; remove it or choose another path",
  ENOTSOCK: "something else is there; remove it or choose another path",
  EXDEV: "it is on another file system than the run folder; give --run DIR on that one",
  ENOENT: "its folder is not there; make it first",
};

/**
 * Sockets that are made at run time. Deno's grant names one path in the run folder, the slot: each
 * socket is bound there, and then moved to where it belongs. What is connected does not depend on
 * the name.
 */
class ListenerSockets implements ListenerHost {
  readonly #slot: string;
  readonly #files: SocketFiles;
  readonly #answer: Answer;
  readonly #serial = new Serial();

  /** @param slot The path that is granted */
  constructor(slot: string, files: SocketFiles, answer: Answer) {
    this.#slot = slot;
    this.#files = files;
    this.#answer = answer;
  }

  open(...[request, principal, left, placing]: Parameters<ListenerHost["open"]>) {
    return this.#serial.run(async () => {
      const { path, mode } = request;
      if (left !== undefined) this.#files.remove(path, left);
      this.#requireFree(path);
      removeIfThere(this.#slot);
      const listener: Listener = { kind: "unix", principal };
      const server = Deno.serve(
        { path: this.#slot, onListen: () => {} },
        (sent) => this.#answer(sent, listener),
      );
      try {
        const node = this.#bound(mode);
        await placing(node);
        this.#files.move(this.#slot, path);
        return { node, stop: () => this.#stop(server) };
      } catch (error) {
        await this.#release(server);
        throw error instanceof SystemError ? unusable(path, error) : error;
      }
    });
  }

  remove(...[path, node]: Parameters<ListenerHost["remove"]>): void {
    this.#files.remove(path, node);
  }

  #bound(mode: string): SocketNode {
    Deno.chmodSync(this.#slot, Number.parseInt(mode, 8));
    const node = this.#files.nodeAt(this.#slot);
    if (node === undefined) throw new SystemError("ENOENT", "open", this.#slot);
    return node;
  }

  async #stop(server: Server): Promise<void> {
    const { finished } = await this.#serial.run(() => this.#release(server));
    await finished;
  }

  /**
   * Stops to accept. Deno removes what is at the path that a server was bound at when that closes, a
   * little later. So something else is put there, and its end waited for, before the next socket is.
   *
   * @returns Resolves when the running requests have ended
   */
  async #release(server: Server): Promise<{ readonly finished: Promise<void> }> {
    removeIfThere(this.#slot);
    Deno.createSync(this.#slot).close();
    const finished = server.shutdown();
    for (let tries = 0; tries < SLOT_TRIES && isThere(this.#slot); tries++) {
      await delay(SLOT_PAUSE_MS);
    }
    removeIfThere(this.#slot);
    return { finished };
  }

  #requireFree(path: string): void {
    let found;
    try {
      found = this.#files.nodeAt(path);
    } catch (error) {
      throw error instanceof SystemError ? unusable(path, error) : error;
    }
    if (found !== undefined) throw unusable(path, new SystemError("EEXIST", "link", path));
  }
}

function unusable(path: string, error: SystemError): Fault {
  const { errno } = error;
  const isTaken = errno === "EEXIST" || errno === "ENOTSOCK";
  return new Fault(
    isTaken ? "path-taken" : "path-unusable",
    `Cannot listen on ${path}: ${ADVICE[errno] ?? error.message}`,
    { cause: error },
  );
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
