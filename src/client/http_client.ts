import type { Problem } from "../wire/problem.ts";
import { ProblemError } from "./problem_error.ts";
import { UnreachableError } from "./unreachable_error.ts";

/** Where a daemon is, and what it takes to be let in. */
export interface Endpoint {
  /** Base address, such as `http://127.0.0.1:8787`; over a unix socket `http://localhost`. */
  readonly url: string;
  /** Needed over TCP. */
  readonly token?: string | undefined;
  /** A fetch that goes through a unix socket, where one is used. */
  readonly fetch?: typeof fetch | undefined;
}

/** What a request may carry. */
export interface HttpRequest {
  readonly json?: unknown;
  /** Bytes instead of JSON. */
  readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** The answer to a request that was not refused. */
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
 * const { body } = await client.request<{ generation: number }>("GET", "/v1/scopes/vm-7");
 * ```
 */
export class HttpClient {
  constructor(readonly endpoint: Endpoint) {}

  /**
   * Sends a request and reads the JSON of its answer.
   *
   * @throws {ProblemError} when the daemon refuses it
   * @throws {UnreachableError} when it does not answer
   */
  async request<Body = unknown>(
    method: string,
    path: string,
    request: HttpRequest = {},
  ): Promise<HttpAnswer<Body>> {
    const response = await this.#send(method, path, request);
    const { status, headers } = response;
    const text = await response.text();
    return { status, headers, body: (text === "" ? undefined : JSON.parse(text)) as Body };
  }

  /**
   * Reads bytes.
   *
   * @throws {ProblemError} when the daemon refuses it
   * @throws {UnreachableError} when it does not answer
   */
  async read(
    path: string,
    request: HttpRequest = {},
  ): Promise<HttpAnswer<Uint8Array<ArrayBuffer>>> {
    const response = await this.#send("GET", path, request);
    const { status, headers } = response;
    return { status, headers, body: await response.bytes() };
  }

  async #send(
    method: string,
    path: string,
    { json, bytes, headers = {}, signal }: HttpRequest,
  ): Promise<Response> {
    const { url, token, fetch: send = fetch } = this.endpoint;
    const body = json === undefined ? bytes : JSON.stringify(json);
    const type = json === undefined ? "application/octet-stream" : "application/json";
    const response = await send(`${url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": type }),
        ...headers,
      },
      body: body ?? null,
      signal: signal ?? null,
    }).catch((error) => {
      // An aborted request says nothing of whether the daemon can be reached.
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
    detail:
      `${response.url} answered ${response.status}, which is no answer of Innkeeper: check the address`,
    code: "internal-error",
    errno: "EIO",
    retryable: false,
  };
}
