import type { Problem } from "../wire/problem.ts";
import { baseOf, credentials, type Endpoint, fetchOf } from "./endpoint.ts";
import { ProblemError } from "./problem_error.ts";
import { UnreachableError } from "./unreachable_error.ts";

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
 * ```js ignore
 * import { HttpClient } from "@innkeeper/client";
 *
 * const client = new HttpClient({ url: "http://127.0.0.1:8787", token: "TOKEN" });
 * const { body } = await client.request("GET", "/v1/scopes/vm-7");
 * console.log(body.generation);
 * ```
 */
export class HttpClient {
  readonly #base: string;
  #fetch: Promise<typeof fetch> | undefined;

  /** @throws {ConnectError} when the endpoint names no daemon */
  constructor(readonly endpoint: Endpoint) {
    this.#base = baseOf(endpoint);
  }

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
    const text = await this.#whole(response.text());
    return { status, headers, body: (text === "" ? undefined : this.#parse(text)) as Body };
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
    return { status, headers, body: new Uint8Array(await this.#whole(response.arrayBuffer())) };
  }

  async #send(
    method: string,
    path: string,
    { json, bytes, headers = {}, signal }: HttpRequest,
  ): Promise<Response> {
    const send = await (this.#fetch ??= fetchOf(this.endpoint));
    const body = json === undefined ? bytes : JSON.stringify(json);
    const type = json === undefined ? "application/octet-stream" : "application/json";
    const response = await send(`${this.#base}${path}`, {
      method,
      headers: {
        ...await credentials(this.endpoint),
        ...(body === undefined ? {} : { "content-type": type }),
        ...headers,
      },
      body: body ?? null,
      signal: signal ?? null,
    }).catch((error) => {
      throw this.#unreachable(error);
    });
    if (response.ok) return response;
    throw new ProblemError(readProblem(response, await this.#whole(response.text())));
  }

  /** The whole of a body. One that breaks off is as good as none. */
  async #whole<Body>(body: Promise<Body>): Promise<Body> {
    return await body.catch((error) => {
      throw this.#unreachable(error);
    });
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw this.#unreachable(new TypeError("what answers there is not Innkeeper"));
    }
  }

  /** An aborted request says nothing of whether the daemon can be reached. */
  #unreachable(error: unknown): unknown {
    if (!(error instanceof TypeError)) return error;
    return new UnreachableError(this.endpoint.socket ?? this.#base, error);
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
