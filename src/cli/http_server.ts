import { delay } from "@std/async";
import { getLogger } from "@logtape/logtape";
import type { Admission, Admitted } from "../access/admission.ts";
import { ACCEPT_RETRY_MS } from "../core/limits.ts";
import type { HostSocket, HostSockets } from "../core/ports/host_socket.ts";
import { connectionServer, descriptorOf, serveConnection } from "./deno_parts.ts";
import { HeadWait } from "./head_wait.ts";
import { refuseHead, SocketRequest } from "./socket_request.ts";

/**
 * Only the first request of a connection can become a WebSocket. Node uses a connection again that
 * it has for other requests; it is told to take another one. Nothing was looked at, so a ticket is
 * good still.
 */
function refuseLateUpgrade(): Response {
  return new Response(
    "Cannot open a WebSocket on a connection that has served another request: open a new one\n",
    { status: 503, headers: { connection: "close", "retry-after": "0" } },
  );
}

/** Answers a request; one that may become a WebSocket comes with its connection. */
export type AnswerOn = (
  request: Request,
  admitted: Admitted,
  socket?: SocketRequest,
) => Response | Promise<Response>;

/** What a server works with. */
export interface HttpServerParts {
  readonly admission: Admission;
  readonly sockets: HostSockets;
  readonly answer: AnswerOn;
}

type Serving = ReturnType<typeof serveConnection>;

const log = getLogger(["innkeeper", "listen"]);

/**
 * Accepts connections for as long as there is room for them, and answers their requests. What does
 * not fit waits with the kernel, which refuses when it has too many.
 */
export class HttpServer {
  readonly #listener: Deno.Listener;
  readonly #parts: HttpServerParts;
  readonly #heads = new HeadWait();
  readonly #serving = new Set<Serving>();
  readonly #accepting: Promise<void>;
  #isStopping = false;
  #failures = 0;

  /** @throws {ExitError} when this Deno lacks what it needs */
  constructor(listener: Deno.Listener, parts: HttpServerParts) {
    connectionServer();
    this.#listener = listener;
    this.#parts = parts;
    this.#accepting = this.#acceptAll();
  }

  /** Accepts nothing new, and resolves when the requests that run have ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#listener.close();
    this.#heads.stop();
    await Promise.allSettled([...this.#serving].map((one) => one.shutdown()));
  }

  async #acceptAll(): Promise<void> {
    while (!this.#isStopping) {
      await this.#parts.admission.room();
      const next = this.#parts.sockets.nextDescriptor();
      try {
        const connection = await this.#listener.accept();
        const socket = this.#socketOf(connection, next);
        if (socket === undefined) connection.close();
        else this.#admit(connection, socket);
      } catch (error) {
        if (this.#isStopping) return;
        // Such as EMFILE, when something else has taken the descriptors, or ECONNABORTED. The
        // listener stays, and those who wait are accepted later.
        this.#failures++;
        log.warn("could not accept", { error: (error as Error).message, failures: this.#failures });
        await delay(ACCEPT_RETRY_MS);
      }
    }
  }

  #socketOf(connection: Deno.Conn, next: number): HostSocket | undefined {
    const { sockets } = this.#parts;
    const { localAddr } = connection;
    return localAddr.transport === "unix"
      ? sockets.acceptedAt(localAddr.path, next)
      : sockets.of(descriptorOf(connection));
  }

  #admit(connection: Deno.Conn, socket: HostSocket): void {
    let end = (): void => waiting.end();
    const admitted = this.#parts.admission.admit(() => end());
    const waiting = this.#heads.add(socket, (look) => {
      if (look.kind === "http") {
        end = this.#serve(connection, admitted);
        return;
      }
      const done = (): void => admitted.closed();
      if (look.kind === "websocket") {
        end = () => socket.shutdown();
        const request = new SocketRequest(connection, socket, look);
        admitted.began();
        request.answerWith((wanted) => this.#parts.answer(wanted, admitted, request))
          .then(done, done);
      } else {refuseHead(connection, look.kind === "refused" ? look.status : undefined).then(
          done,
          done,
        );}
    });
  }

  /** @returns What ends the connection at once */
  #serve(connection: Deno.Conn, admitted: Admitted): () => void {
    const ended = (): void => admitted.ended();
    const serving = serveConnection(connection, (request, { completed }) => {
      if (request.headers.get("upgrade")?.toLowerCase() === "websocket") return refuseLateUpgrade();
      admitted.began();
      completed.then(ended, ended);
      return this.#parts.answer(request, admitted);
    });
    this.#serving.add(serving);
    const over = (): void => {
      this.#serving.delete(serving);
      admitted.closed();
    };
    serving.finished.then(over, over);
    return serving.end;
  }
}
