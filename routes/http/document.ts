import { OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { Route } from "./endpoint.ts";
import { exampleOf, type Schema } from "./examples.ts";
import { REQUEST_HEADERS, type RequestHeader, RESPONSE_HEADERS } from "./headers.ts";
import { type Need, needOf } from "./rights.ts";
import { problemAnswers, problemExamples, ProblemView } from "./problem_answers.ts";

/** What the document is made from. */
export interface DocumentParts {
  readonly version: string;
  /** Routes that need no token. */
  readonly open: readonly Route[];
  /** Routes that need to know the caller. */
  readonly guarded: readonly Route[];
}

const ABOUT = `Innkeeper is a host daemon for programs that are restored from snapshots and cloned.

Over TCP every request carries a token; a unix socket stands for whom it was made for. Refusals and
failures are problem documents (RFC 9457) with a stable \`code\`; \`GET /problems/{code}\` explains
each. Numbers of 64 bits are decimal strings. Every answer has an \`X-Request-Id\`: that of the
request, or one of its own.

A POST with \`Idempotency-Key\` is carried out once within 10 minutes: the same key with the same
request gets the same answer, with another request 422 \`key-reused\`. Where the answer has made room
for later ones it is 422 \`answer-not-kept\`: it was carried out and is not again. A new key for which
there is no room is 503 \`keys-exhausted\`, before anything is done.`;

/** OpenAPI 3.1 names a license by its SPDX identifier, which the types of 3.0 do not know. */
const LICENSE = { name: "MIT", identifier: "MIT" };

/** The headings under which endpoints stand. */
const TAGS = {
  generations: "Scopes, their generations, who watches them, and the barrier",
  devices: "Device numbers without hardware, and devices of the host with who holds them",
  inodes: "Files of named roots with a cache of their own: read, written and mapped by range",
  guests: "Virtual machines, their memory, registers, console and snapshots",
  events: "What has changed, as a stream or in pages",
  daemon: "The daemon itself: health, metrics, tickets and documents",
} as const;

const SECURITY = {
  token: {
    type: "http",
    scheme: "bearer",
    description: "A token of the daemon's token file. Not needed over a unix socket",
  },
  ticket: {
    type: "apiKey",
    in: "query",
    name: "ticket",
    description: "A ticket from `POST /v1/tickets`, for one WebSocket",
  },
} as const;

/** The OpenAPI document of all routes, as JSON text. */
export function openApiText({ version, open, guarded }: DocumentParts): string {
  const { openAPIRegistry: registry, getOpenAPI31Document } = new OpenAPIHono();
  registry.register("Problem", ProblemView);
  for (const route of open) registry.registerPath(described(route, true));
  for (const route of guarded) registry.registerPath(described(route, false));
  const document = getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Innkeeper",
      version,
      description: ABOUT,
      license: LICENSE,
      contact: { name: "Whoever operates this host" },
    },
    servers: [{ url: "/", description: "The daemon that served this document" }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ token: [] }],
  });
  const schemas = document.components?.schemas as Record<string, Schema>;
  addExamples(document.paths as Paths, schemas);
  for (const schema of Object.values(schemas)) tellDefaults(schema);
  return JSON.stringify({
    ...document,
    components: {
      ...document.components,
      securitySchemes: SECURITY,
      headers: Object.fromEntries(
        Object.entries(RESPONSE_HEADERS).map(([name, { description, example }]) => [
          name,
          { description, example, schema: { type: "string" } },
        ]),
      ),
      examples: problemExamples(JSON.stringify(document.paths)),
    },
  });
}

/** A route as the document has it. */
function described(route: Route, isOpen: boolean): RouteConfig {
  const { needs, also = [], headers, bodyBytesMax, isSocket, ...others } = route;
  const { faults: _, isReadByHand: __, ...rest } = others;
  const sentences = [
    route.description,
    ...needs === undefined ? [] : [`Needs ${rightText(needOf(needs))}.`],
    ...also.map((need) => `For ${need.when} it needs ${rightText(need)} as well.`),
    ...bodyBytesMax === undefined ? [] : [`The body may have ${bodyBytesMax} bytes.`],
  ];
  const names = [
    ...headers ?? [],
    ...route.method === "post" && !isOpen ? ["Idempotency-Key" as const] : [],
  ];
  return {
    ...rest,
    description: sentences.join(" "),
    ...isOpen ? { security: [] } : {},
    ...isSocket ? { security: [{ token: [] }, { ticket: [] }] } : {},
    ...names.length === 0 ? {} : { parameters: names.map(headerParameter) },
    responses: { ...route.responses, ...problemAnswers(route, isOpen) },
  };
}

/** How the place is said where the name is that a right is needed on. */
const PLACES = {
  "body": "what the body names",
  "query": "what the query names",
  "each item": "each item that it shows",
  "each frame": "what each frame names",
  "what it is of": "what it is of",
} as const;

/** A right in words. */
function rightText({ permission, on }: Need): string {
  const places = [on ?? []].flat().map((one) =>
    "param" in one ? "what the path names" : PLACES[one.in]
  );
  const right = `the permission \`${permission}\``;
  return places.length === 0 ? right : `${right} on ${[...new Set(places)].join(" or ")}`;
}

function headerParameter(name: RequestHeader) {
  return {
    name,
    in: "header" as const,
    ...REQUEST_HEADERS[name],
    schema: { type: "string" as const },
  };
}

/**
 * Says the defaults of members in words. Generators of clients take a member with a `default` for
 * one that is always there, and would ask their users for all of them.
 */
function tellDefaults(schema: Schema): void {
  for (const member of Object.values(schema.properties ?? {}) as (Schema & Described)[]) {
    if (member.default !== undefined) {
      const value = JSON.stringify(member.default);
      member.description = `${member.description ?? ""} (\`${value}\` when it is left out)`.trim();
      delete member.default;
    }
    tellDefaults(member);
  }
  if (schema.items !== undefined) tellDefaults(schema.items);
}

/** The parts of the document to which examples are added. */
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;
interface Operation {
  readonly parameters?: readonly { example?: unknown; readonly schema: Schema }[];
  readonly requestBody?: WithContent;
  readonly responses: Readonly<Record<string, WithContent>>;
}
interface Described {
  description?: string;
  default?: unknown;
}
interface WithContent {
  readonly content?: Readonly<Record<string, Media>>;
}
interface Media {
  readonly schema: Schema;
  example?: unknown;
  readonly examples?: unknown;
}

/** Gives every parameter and every body of JSON an example, where the route itself gives none. */
function addExamples(paths: Paths, schemas: Readonly<Record<string, Schema>>): void {
  for (
    const { parameters, requestBody, responses } of Object.values(paths).flatMap(Object.values)
  ) {
    for (const parameter of parameters ?? []) {
      parameter.example ??= exampleOf(parameter.schema, schemas);
    }
    for (const { content } of [requestBody ?? {}, ...Object.values(responses)] as WithContent[]) {
      for (const [type, media] of Object.entries(content ?? {})) {
        if (!type.endsWith("json") || media.examples !== undefined) continue;
        media.example ??= exampleOf(media.schema, schemas);
      }
    }
  }
}
