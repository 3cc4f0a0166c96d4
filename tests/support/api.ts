import { assert, assertEquals } from "@std/assert";
import { Registry } from "prom-client";
import Ajv2020, { type ValidateFunction } from "ajv/dist/2020.js";
import type { FaultCode } from "../../src/core/faults.ts";
import { admin, Tokens } from "../../src/access/tokens.ts";
import { IdempotentAnswers } from "../../src/access/idempotency.ts";
import { Tickets } from "../../src/access/tickets.ts";
import { PROBLEM_TYPE } from "../../src/wire/problem.ts";
import { createApp } from "../../routes/http/app.ts";
import type { Listener } from "../../src/access/listener.ts";
import type { Routes } from "../../routes/http/endpoint.ts";
import { FakeClock } from "./clock.ts";
import { SeededRandom } from "./random.ts";

interface Operation {
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
}

// deno-lint-ignore no-explicit-any -- tests read members as they come and assert on each
type Json = any;

/** What a test says of one request. */
export interface TestRequest {
  readonly json?: unknown;
  readonly body?: BodyInit;
  readonly headers?: Record<string, string>;
  readonly listener?: Listener;
}

/**
 * Routes under test without a socket. Every answer is held against the OpenAPI document that the
 * same routes serve: its path, status, media type and body.
 */
export class Api {
  readonly app: Routes;
  readonly #ajv = new Ajv2020.default({ strict: false, validateFormats: false });
  readonly #validators = new Map<string, ValidateFunction>();
  /** One unix socket, through which all requests come that do not say otherwise. */
  readonly #everybody: Listener = { kind: "unix", principal: admin("test") };
  #document: Document | undefined;

  constructor(app: Routes) {
    this.app = app;
  }

  /** An app of only these routes, all of them behind the token guard. */
  static of(...guarded: readonly Routes[]): Api {
    return new Api(createApp({
      version: "0.0.0-test",
      tokens: new Tokens([{ token: "secret", permissions: ["admin"] }]),
      tickets: new Tickets(new FakeClock(), new SeededRandom(1)),
      answers: new IdempotentAnswers(new FakeClock()),
      allowedHosts: [],
      metrics: new Registry(),
      open: [],
      guarded,
    }));
  }

  /** Sends a request as the unix socket's admin, unless `request` says otherwise. */
  async send(method: string, path: string, request: TestRequest = {}): Promise<Response> {
    const headers = new Headers(request.headers);
    let body = request.body ?? null;
    if (request.json !== undefined) {
      if (!headers.has("content-type")) headers.set("content-type", "application/json");
      body = JSON.stringify(request.json);
    }
    const url = `http://localhost${path}`;
    const listener = request.listener ?? this.#everybody;
    const sent = new Request(url, { method, headers, body });
    const response = await this.app.fetch(sent, { listener });
    await this.#conforms(method, new URL(url).pathname, response.clone());
    return response;
  }

  /** Sends a request and returns the JSON of an answer that must have this status. */
  async json(
    status: number,
    method: string,
    path: string,
    request: TestRequest = {},
  ): Promise<Json> {
    const response = await this.send(method, path, request);
    const text = await response.text();
    assertEquals(response.status, status, `${method} ${path}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Sends a request that must be refused with this fault. */
  async refused(
    code: FaultCode,
    method: string,
    path: string,
    request: TestRequest = {},
  ): Promise<unknown> {
    const response = await this.send(method, path, request);
    const problem = await response.json();
    assertEquals(problem.code, code, `${method} ${path}: ${JSON.stringify(problem)}`);
    assertEquals(response.headers.get("content-type"), PROBLEM_TYPE);
    return problem;
  }

  async #conforms(called: string, path: string, response: Response): Promise<void> {
    // A HEAD is answered as a GET without its body, and not described by itself.
    const method = called === "HEAD" ? "GET" : called;
    if (response.status === 404 || response.status === 405) {
      if ((await response.clone().json()).code === "no-such-path") return;
      if (response.status === 405) return;
    }
    this.#document ??= await (await this.app.request("/openapi.json", {}, {
      listener: { kind: "unix", principal: admin("test") },
    })).json() as Document;
    const template = Object.keys(this.#document.paths).find((candidate) =>
      new URLPattern({ pathname: candidate.replaceAll(/\{(.+?)\}/g, ":$1") })
        .test({ pathname: path }) &&
      method.toLowerCase() in (this.#document?.paths[candidate] ?? {})
    );
    assert(template !== undefined, `${method} ${path} is not in /openapi.json`);
    const operation = this.#document.paths[template]?.[method.toLowerCase()];
    const described = operation?.responses[String(response.status)];
    assert(
      described !== undefined,
      `${method} ${template} answered ${response.status}, which /openapi.json does not name: ` +
        await response.clone().text(),
    );
    const type = response.headers.get("content-type")?.split(";")[0];
    if (described.content === undefined) {
      assertEquals((await response.arrayBuffer()).byteLength, 0, `${template}: unexpected body`);
      return;
    }
    const media = described.content[type ?? ""];
    assert(media !== undefined, `${method} ${template} ${response.status}: type ${type}`);
    if (type?.endsWith("json") !== true || called === "HEAD") return;
    const key = `${method} ${template} ${response.status} ${type}`;
    const validate = this.#validators.get(key) ??
      this.#ajv.compile({ ...media.schema, components: this.#componentsOf() });
    this.#validators.set(key, validate);
    const body = await response.json();
    assert(validate(body), `${key}: ${this.#ajv.errorsText(validate.errors)}`);
  }

  #componentsOf(): unknown {
    return (this.#document as unknown as { components?: unknown })?.components ?? {};
  }
}
