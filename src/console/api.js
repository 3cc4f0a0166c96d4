import { learnClock } from "./time.js";

/** The daemon has refused a request: what its problem document says. */
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

/** Requests to the daemon that has served this page, with the token of this tab. */
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
    /** @type {RequestInit} */
    const init = {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...headers },
      cache: "no-store",
      ...(signal === undefined ? {} : { signal }),
    };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { ...init.headers, "content-type": "application/json" };
    }
    const response = await fetch(path, init).catch((error) => {
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

/** Words that name one thing to the daemon, to repeat a request without doing it twice. */
export function newKey() {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
