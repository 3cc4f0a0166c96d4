import type { Problem } from "../wire/problem.ts";
import { ProblemError } from "./problem_error.ts";
import { UnreachableError } from "./unreachable_error.ts";

/** How to reach a daemon. */
export interface Reach {
  /** Base address, such as `http://127.0.0.1:8787`; over a unix socket `http://localhost`. */
  readonly url: string;
  /** Needed over TCP. */
  readonly token?: string | undefined;
  /** A fetch that goes through a unix socket, where one is used. */
  readonly fetch?: typeof fetch | undefined;
}

/** What a request may carry. */
export interface HttpAsk {
  readonly json?: unknown;
  /** Bytes instead of JSON. */
  readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** An answer that was no refusal. */
export interface HttpAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON of the answer; `undefined` when it has none. */
  readonly body: Body;
}

/**
 * Requests to a daemon, in web standards only: it runs in Deno, Node and browsers.
 *
 * @example
 * ```ts ignore
 * const client = new HttpClient({ url: "http://127.0.0.1:8787", token });
 * const { body } = await client.ask<{ generation: number }>("GET", "/v1/scopes/vm-7");
 * ```
 */
export class HttpClient {
  constructor(readonly reach: Reach) {}

  /**
   * Sends a request.
   *
   * @throws {ProblemError} when the daemon refuses it; {@linkcode UnreachableError}
   */
  async ask<Body = unknown>(
    method: string,
    path: string,
    ask: HttpAsk = {},
  ): Promise<HttpAnswer<Body>> {
    const response = await this.#send(method, path, ask);
    const text = await response.text();
    const body = (text === "" ? undefined : JSON.parse(text)) as Body;
    return { status: response.status, headers: response.headers, body };
  }

  /**
   * Asks for bytes.
   *
   * @throws {ProblemError} when the daemon refuses it; {@linkcode UnreachableError}
   */
  async read(path: string, ask: HttpAsk = {}): Promise<HttpAnswer<Uint8Array<ArrayBuffer>>> {
    const response = await this.#send("GET", path, ask);
    const body = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body };
  }

  async #send(
    method: string,
    path: string,
    { json, bytes, headers = {}, signal }: HttpAsk,
  ): Promise<Response> {
    const { url, token, fetch: send = fetch } = this.reach;
    const response = await send(`${url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...(bytes === undefined ? {} : { "content-type": "application/octet-stream" }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(bytes === undefined ? {} : { body: bytes }),
      ...(signal === undefined ? {} : { signal }),
    }).catch((error) => {
      // What is aborted was reached, as far as anybody knows.
      throw error instanceof TypeError ? new UnreachableError(url, error) : error;
    });
    if (!response.ok) throw new ProblemError(readProblem(response, await response.text()));
    return response;
  }
}

function readProblem(response: Response, text: string): Problem {
  if (response.headers.get("content-type")?.startsWith("application/problem+json") === true) {
    return JSON.parse(text) as Problem;
  }
  return {
    type: "about:blank",
    title: response.statusText,
    status: response.status,
    detail: `${response.url} answered ${response.status}, which is no answer of Innkeeper`,
    code: "internal-error",
    errno: "EIO",
    retryable: false,
  };
}
