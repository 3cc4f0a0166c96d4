/**
 * Requests out of the document that a daemon serves: mostly of the right form, always a little
 * wrong.
 *
 * @module
 */
import type { SeededRandom } from "./random.ts";

// deno-lint-ignore no-explicit-any -- a JSON schema is read as it comes
type Schema = any;

/** A call that the document describes. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { name: string; in: string; schema: Schema }[];
  readonly body: Schema | undefined;
  readonly takesBytes: boolean;
  /** The codes of problems that the document names for a status. */
  readonly codesOf: (status: number) => readonly string[];
}

const STRANGE: readonly unknown[] = [
  ...[null, true, -1, 0, 1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 64, -(2 ** 63), 1e308],
  ...["", "0", "-1", "18446744073709551615", "18446744073709551616", "1e3", "NaN", "..", "../x"],
  ...["/etc/passwd", "%2e%2e%2f", "a\u0000b", "\ud800", "𝒳".repeat(40), "a".repeat(5000)],
  ...[[], {}, [[]], [null], { "__proto__": 1 }, { constructor: 1 }],
];
const NAMES = [
  "vm-1",
  "vm-2",
  "system",
  "a",
  "data",
  "image",
  "stats",
  "anonymous",
  "A",
  "..",
  "0",
];

/** Makes the parts of requests. */
export class Maker {
  constructor(
    readonly random: SeededRandom,
    readonly components: Record<string, Schema>,
    /** Ids that the daemon gave in earlier answers, so that requests reach past the look-up. */
    readonly ids: string[],
    /** Names that the things it asks for may have. */
    readonly names: readonly string[] = NAMES,
  ) {}

  value(schema: Schema, depth = 0): unknown {
    if (this.random.below(12) === 0) return this.random.pick(STRANGE);
    if (schema?.$ref) {
      return this.value(this.components[schema.$ref.split("/").at(-1) as string], depth);
    }
    const choices = schema?.anyOf ?? schema?.oneOf;
    if (choices) return this.value(this.random.pick(choices), depth);
    if (schema?.const !== undefined) return schema.const;
    if (schema?.enum) return this.random.pick(schema.enum);
    const type = Array.isArray(schema?.type) ? this.random.pick(schema.type) : schema?.type;
    switch (type) {
      case "object":
        return this.#object(schema, depth);
      case "array":
        return Array.from(
          { length: this.random.below(4) },
          () => depth > 4 ? null : this.value(schema.items, depth + 1),
        );
      case "integer":
      case "number":
        return this.random.below(3) === 0 ? this.random.below(2 ** 31) : this.random.below(64);
      case "boolean":
        return this.random.below(2) === 0;
      case "string":
        return this.text();
      default:
        return this.random.pick(STRANGE);
    }
  }

  text(): string {
    const kind = this.random.below(4);
    if (kind === 0 && this.ids.length > 0) return this.random.pick(this.ids);
    if (kind === 1) return String(this.random.below(100_000));
    return this.random.pick(this.names);
  }

  #object(schema: Schema, depth: number): unknown {
    const object: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      const required = schema.required?.includes(name) === true;
      if (!required && this.random.below(2) === 0) continue;
      if (required && this.random.below(40) === 0) continue;
      object[name] = this.value(member, depth + 1);
    }
    // A run may rightly take as long as its budget: keep it short.
    if ("budgetMs" in (schema.properties ?? {})) object["budgetMs"] = this.random.below(20);
    if (this.random.below(30) === 0) object["unknown"] = 1;
    return object;
  }
}

/** The calls of a document, but for the watch socket. */
export function operationsOf(document: Schema): Operation[] {
  return Object.entries(document.paths as Record<string, Schema>).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Schema>).map(([method, operation]) => {
      const content = operation.requestBody?.content ?? {};
      return {
        method: method.toUpperCase(),
        path,
        parameters: operation.parameters ?? [],
        body: Object.entries(content).find(([type]) => type.endsWith("json"))?.[1] as Schema,
        takesBytes: "application/octet-stream" in content,
        codesOf: (status: number) =>
          [...(operation.responses[status]?.description ?? "").matchAll(/`([a-z-]+)`/g)]
            .map(([, code]) => code as string),
      };
    })
  ).filter(({ path }) => path !== "/v1/watch");
}

/** A request of this call. */
export function requestOf(operation: Operation, maker: Maker): { path: string; init: RequestInit } {
  const { random } = maker;
  const path = operation.path.replaceAll(/\{(.+?)\}/g, (_all, name) => {
    if (random.below(15) === 0) {
      return encodeURIComponent(String(random.pick(STRANGE)).toWellFormed()).slice(0, 900);
    }
    if (name === "range") return `${random.below(5000)}-${random.below(9000)}`;
    return encodeURIComponent(maker.text().toWellFormed());
  });
  const query = new URLSearchParams();
  for (const parameter of operation.parameters) {
    // A barrier without a limit may rightly wait for minutes.
    if (parameter.in !== "query" || parameter.name === "timeoutMs") continue;
    if (random.below(3) === 0) {
      query.set(parameter.name, String(maker.value(parameter.schema)).slice(0, 900));
    }
  }
  const headers: Record<string, string> = {};
  if (random.below(6) === 0) headers["range"] = `bytes=${random.below(9000)}-${random.below(9000)}`;
  // A stream of events rightly never ends.
  if (operation.path === "/v1/events") headers["accept"] = "application/json";
  if (random.below(20) === 0) headers["prefer"] = "wait=0";
  let body: BodyInit | null = null;
  if (operation.body !== undefined) {
    headers["content-type"] = random.below(30) === 0 ? "text/plain" : "application/json";
    const text = JSON.stringify(maker.value(operation.body.schema)) ?? "";
    body = random.below(20) === 0 ? text.slice(0, random.below(text.length + 1)) : text;
  } else if (operation.takesBytes) {
    headers["content-type"] = random.below(30) === 0 ? "text/plain" : "application/octet-stream";
    body = new Uint8Array(random.below(5000));
  }
  const search = query.size === 0 ? "" : `?${query}`;
  return { path: `${path}${search}`, init: { method: operation.method, headers, body } };
}

/** Remembers the ids in an answer. */
export function collectIds(value: unknown, ids: string[]): void {
  if (ids.length > 200 || typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (["id", "watcher", "inode", "ownerToken"].includes(name) && typeof member === "string") {
      ids.push(member);
    } else collectIds(member, ids);
  }
}
