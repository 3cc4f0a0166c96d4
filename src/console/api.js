import { learnClock } from "./time.js";

/** The daemon refused a request, for the reason in its problem document. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} title
   * @param {string} detail
   */
  constructor(status, code, title, detail) {
    super(detail);
    this.status = status;
    this.code = code;
    this.title = title;
  }
}

/** The daemon did not answer. */
export class Unreachable extends Error {}

/** Requests to the daemon that served this page, with the token of this tab. */
export class Api {
  /** @param {string} token */
  constructor(token) {
    this.token = token;
  }

  /**
   * @template Answer
   * @param {string} path
   * @returns {Promise<Answer>}
   */
  async get(path) {
    return await (await this.send("GET", path)).json();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{ body?: unknown, headers?: Record<string, string>, signal?: AbortSignal }} [more]
   * @throws {Refused | Unreachable}
   */
  async send(method, path, { body, headers = {}, signal } = {}) {
    const response = await fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      cache: "no-store",
      signal: signal ?? null,
    }).catch((error) => {
      throw new Unreachable(String(error));
    });
    learnClock(response.headers.get("date"));
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new Refused(
      response.status,
      String(problem.code ?? "unknown"),
      String(problem.title ?? `Status ${response.status}`),
      String(problem.detail ?? "The daemon gave no reason."),
    );
  }
}

/** An Idempotency-Key, by which a request can be repeated without being carried out twice. */
export function newKey() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
