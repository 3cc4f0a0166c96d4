import type { HostSocket } from "../core/ports/host_socket.ts";
import type { GrowthWatch } from "./growth_watch.ts";
import { upgradeConnection, writeAll } from "./deno_parts.ts";

/** A request that wants to become a WebSocket, and the connection that it came on. */
export class SocketRequest {
  readonly #connection: Deno.Conn;
  readonly #request: Request;
  readonly #headBytes: number;
  /** Resolves when the WebSocket is closed; there is none before it is upgraded. */
  #closed: Promise<void> | undefined;

  constructor(
    connection: Deno.Conn,
    /** The connection as the host has it. */
    readonly socket: HostSocket,
    { request, bytes }: { readonly request: Request; readonly bytes: number },
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#headBytes = bytes;
  }

  /**
   * Turns the connection into a WebSocket.
   *
   * @param growth Ends it when it grows without bound
   */
  upgrade(protocol: string, idleSeconds: number, growth: GrowthWatch): Deno.WebSocketUpgrade {
    const options = { protocol, idleTimeout: idleSeconds };
    const upgraded = upgradeConnection(this.#connection, this.#request, options);
    growth.add(upgraded.socket, this.socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    for (const end of ["close", "error"]) upgraded.socket.addEventListener(end, () => resolve());
    return upgraded;
  }

  /** Answers the request. It resolves when the connection is closed. */
  async answerWith(answer: (request: Request) => Response | Promise<Response>): Promise<void> {
    try {
      // The head was only looked at until now.
      const head = new Uint8Array(this.#headBytes);
      for (let at = 0; at < head.length;) {
        const count = await this.#connection.read(head.subarray(at));
        if (count === null) return this.#connection.close();
        at += count;
      }
      const response = await answer(this.#request);
      if (this.#closed !== undefined) return await this.#closed;
      await writeResponse(this.#connection, response);
    } catch (error) {
      closeQuietly(this.#connection);
      throw error;
    }
  }
}

/** Refuses a connection before its request was read, with a status or without a word. */
export async function refuseHead(connection: Deno.Conn, status: number | undefined): Promise<void> {
  if (status === undefined) return closeQuietly(connection);
  const headers = status === 426
    ? { "sec-websocket-version": "13", upgrade: "websocket" }
    : undefined;
  await writeResponse(
    connection,
    new Response(null, { status, ...headers === undefined ? {} : { headers } }),
  ).catch(() => {});
}

/** Writes a response by hand, and closes the connection. */
async function writeResponse(connection: Deno.Conn, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  headers.set("content-length", String(body.byteLength));
  headers.set("connection", "close");
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${response.status} ${response.statusText}\r\n${lines.join("")}\r\n`;
  try {
    await writeAll(connection, new TextEncoder().encode(head));
    await writeAll(connection, body);
    await connection.closeWrite();
  } finally {
    closeQuietly(connection);
  }
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}
