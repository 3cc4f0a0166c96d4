import { ConnectError } from "./connect_error.ts";
import { baseOf, reveal, type SocketEndpoint } from "./endpoint.ts";
import { HttpClient } from "./http_client.ts";
import { ProblemError } from "./problem_error.ts";
import { isNode, nodeWebSocket, openUnixWebSocket } from "./unix_socket.ts";

/**
 * Node opens a WebSocket on a connection that is left from an earlier request, which the daemon
 * refuses. So these requests leave none. Elsewhere this header is not a program's to set.
 */
const ALONE: Readonly<Record<string, string>> = isNode() ? { connection: "close" } : {};

/** Opens WebSockets of one path of a daemon, in any runtime. */
export class SocketOpener {
  readonly #endpoint: SocketEndpoint;
  readonly #path: string;
  readonly #http: HttpClient;
  readonly #base: string;
  #ticket: string | undefined;
  /** Whether a WebSocket was opened. */
  #isSpent = false;

  /** @throws {ConnectError} when the endpoint names no daemon */
  constructor(endpoint: SocketEndpoint, path: string) {
    this.#endpoint = endpoint;
    this.#path = path;
    this.#http = new HttpClient(endpoint);
    this.#base = baseOf(endpoint).replace(/^http/, "ws");
  }

  /**
   * Opens a WebSocket. Runtimes do not tell why one is refused, and a page can send no token with
   * it: so a token is first exchanged for a ticket, by a request whose refusal is told.
   *
   * @throws {ProblemError} when the daemon refuses the token
   * @throws {UnreachableError} when it does not answer
   * @throws {ConnectError} when no connection can be made with what was given
   */
  async open(protocol: string, signal?: AbortSignal): Promise<WebSocket> {
    const { socket } = this.#endpoint;
    if (socket !== undefined) return await openUnixWebSocket(socket, this.#path, protocol);
    const NetWebSocket = globalThis.WebSocket ?? await nodeWebSocket();
    this.#ticket = await this.#nextTicket(signal);
    const opened = new NetWebSocket(`${this.#base}${this.#path}${this.#query()}`, protocol);
    opened.addEventListener("open", () => this.#isSpent = true, { once: true });
    return opened;
  }

  /**
   * Asks why a WebSocket was not opened, by a request that is no WebSocket.
   *
   * @returns `undefined` when the daemon would let it in, or does not answer
   */
  async whyRefused(signal?: AbortSignal): Promise<ProblemError | undefined> {
    const query = this.#endpoint.ticket === undefined ? "" : this.#query();
    try {
      await this.#http.request("GET", `${this.#path}${query}`, { signal, headers: ALONE });
    } catch (error) {
      // Whoever is let in hears that this is no WebSocket, and whose ticket is good that it is no token.
      const harmless = this.#endpoint.ticket === undefined ? "malformed-request" : "token-missing";
      if (error instanceof ProblemError && error.problem.code !== harmless) return error;
    }
    return undefined;
  }

  #query(): string {
    if (this.#ticket === undefined) return "";
    return `${this.#path.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(this.#ticket)}`;
  }

  async #nextTicket(signal?: AbortSignal): Promise<string | undefined> {
    const { token, ticket } = this.#endpoint;
    if (ticket !== undefined) {
      if (typeof ticket !== "string" || !this.#isSpent) return await reveal(ticket);
      throw new ConnectError(
        "Cannot connect again: the ticket is used, and each is good once; give a function that " +
          "gets another one",
      );
    }
    if (token === undefined) return undefined;
    const { body } = await this.#http.request<{ ticket: string }>("POST", "/v1/tickets", {
      signal,
      headers: ALONE,
    });
    return body.ticket;
  }
}
