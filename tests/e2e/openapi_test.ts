import { assert, assertEquals } from "@std/assert";
import Ajv2020 from "ajv/dist/2020.js";
import type { FaultCode } from "../../src/core/faults.ts";
import { statusOf } from "../../src/wire/problem.ts";
import { Daemon } from "../support/daemon.ts";

const ROOT = new URL("../../", import.meta.url);

// deno-lint-ignore no-explicit-any -- a document is read as it comes
type Json = any;

interface Operation {
  readonly at: string;
  readonly is: Json;
}

function operationsOf(document: Json): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, is]) => ({ at: `${method} ${path}`, is }))
  );
}

/** Whatever a document lacks that its readers need, each with its place. */
function gapsOf(document: Json): string[] {
  const gaps: string[] = [];
  const need = (value: unknown, place: string): void => {
    if (typeof value !== "string" || value.trim() === "") gaps.push(place);
  };
  const members = (schema: Json, place: string): void => {
    if (schema === undefined || schema.$ref !== undefined) return;
    for (const [name, member] of Object.entries<Json>(schema.properties ?? {})) {
      if (!isDescribed(document, member)) gaps.push(`${place}.${name} description`);
      members(member, `${place}.${name}`);
    }
    for (const one of [schema.items, ...schema.anyOf ?? [], ...schema.oneOf ?? []]) {
      members(one, `${place}[]`);
    }
  };
  for (const [name, schema] of Object.entries<Json>(document.components.schemas)) {
    need(schema.description, `${name} description`);
    members(schema, name);
    gaps.push(...withoutExample(schema, name));
  }
  const ids = new Set<string>();
  for (const { at, is } of operationsOf(document)) {
    for (const name of ["operationId", "summary", "description"]) need(is[name], `${at} ${name}`);
    if (ids.has(is.operationId)) gaps.push(`${at}: another one is called ${is.operationId}`);
    ids.add(is.operationId);
    for (const parameter of is.parameters ?? []) {
      need(parameter.description, `${at} ${parameter.name} description`);
      if (parameter.example === undefined) gaps.push(`${at} ${parameter.name} example`);
    }
    for (const [status, { description }] of Object.entries<Json>(is.responses)) {
      need(description, `${at} ${status} description`);
    }
    for (const { place, type, media } of bodiesOf(at, is)) {
      members(type.startsWith("application/problem") ? undefined : media.schema, place);
      if (type.includes("octet-stream") || type.startsWith("multipart")) continue;
      if (media.example === undefined && Object.keys(media.examples ?? {}).length === 0) {
        gaps.push(`${place} ${type} example`);
      }
    }
  }
  return gaps;
}

interface Body {
  readonly place: string;
  readonly type: string;
  readonly media: Json;
}

function bodiesOf(at: string, operation: Json): Body[] {
  const all = Object.entries<Json>({ body: operation.requestBody ?? {}, ...operation.responses });
  return all.flatMap(([place, { content }]) =>
    Object.entries<Json>(content ?? {}).map(([type, media]) => ({
      place: `${at} ${place}`,
      type,
      media,
    }))
  );
}

function isDescribed(document: Json, schema: Json): boolean {
  if (typeof schema.description === "string" && schema.description !== "") return true;
  if (schema.$ref === undefined) {
    return schema.allOf?.some((one: Json) => isDescribed(document, one));
  }
  return isDescribed(document, document.components.schemas[schema.$ref.split("/").at(-1)]);
}

/** The members of which no example says what they look like. */
function withoutExample(schema: Json, place: string): string[] {
  if (schema.$ref !== undefined || schema.enum !== undefined || schema.type === "boolean") {
    return [];
  }
  if (schema.example !== undefined || schema.const !== undefined) return [];
  // Its example is its default.
  if (/when it is left out\)$/.test(schema.description ?? "")) return [];
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties)
      .flatMap(([name, member]) => withoutExample(member, `${place}.${name}`));
  }
  if (schema.items !== undefined) return withoutExample(schema.items, `${place}[]`);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined) return choices.flatMap((one: Json) => withoutExample(one, place));
  return [`${place} example`];
}

Deno.test("GET /openapi.json describes whatever the daemon mounts, and leaves nothing out", async () => {
  await using daemon = await Daemon.start();
  const text = await (await daemon.fetch("/openapi.json")).text();
  assertEquals(await (await daemon.fetch("/openapi.json")).text(), text);
  const document = JSON.parse(text);
  assertEquals(gapsOf(document), []);
  assert(!/[[:,]null[,\]}]/.test(text), "a member is null");
  const { version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  assertEquals([document.openapi, document.info.version], ["3.1.0", version]);
  assert(operationsOf(document).length > 95);
  for (const path of ["/metrics", "/healthz", "/openapi.json", "/problems/{code}"]) {
    assert(document.paths[path]?.get !== undefined, `${path} is missing`);
  }
  const broken = structuredClone(document);
  const { put } = broken.paths["/v1/scopes/{s}"];
  delete put.operationId;
  delete put.parameters[0].description;
  delete put.requestBody.content["application/json"].example;
  delete broken.components.schemas.Scope.properties.name.description;
  delete broken.components.schemas.Scope.example;
  const gaps = gapsOf(broken);
  for (
    const gap of [
      "put /v1/scopes/{s} operationId",
      "put /v1/scopes/{s} s description",
      "put /v1/scopes/{s} body application/json example",
      "Scope.name description",
      "Scope.reason example",
    ]
  ) assert(gaps.includes(gap), `${gap} is not found in ${gaps}`);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("GET /openapi.json has examples that fit, headers, security and every problem's code", async () => {
  await using daemon = await Daemon.start();
  const document = await daemon.json(200, "GET", "/openapi.json") as Json;
  const ajv = new Ajv2020.default({ strict: false, validateFormats: false });
  const wrong: string[] = [];
  for (const { at, is } of operationsOf(document)) {
    for (const { place, type, media } of bodiesOf(at, is)) {
      if (!type.endsWith("json")) continue;
      const fits = ajv.compile({ ...media.schema, components: document.components });
      const named = Object.entries<Json>(media.examples ?? {}).map(([, { $ref }]) =>
        document.components.examples[$ref.split("/").at(-1)].value
      );
      for (const example of media.example === undefined ? named : [media.example]) {
        if (!fits(example)) wrong.push(`${place}: ${ajv.errorsText(fits.errors)}`);
      }
    }
    for (const [status, { description }] of Object.entries<Json>(is.responses)) {
      if (Number(status) < 400) continue;
      const codes = [...description.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code);
      assert(codes.length > 0, `${at} ${status} names no code`);
      for (const code of codes) {
        assertEquals(statusOf(code as FaultCode), Number(status), `${at} ${code}`);
      }
    }
    const headers = (is.parameters ?? []).filter((one: Json) => one.in === "header")
      .map(({ name }: Json) => name);
    const isOpen = JSON.stringify(is.security) === "[]";
    assertEquals(headers.includes("Idempotency-Key"), at.startsWith("post") && !isOpen, at);
    assertEquals(is.responses["401"] === undefined, isOpen, at);
  }
  assertEquals(wrong, []);
  const headersOf = (method: string, path: string): string[] =>
    document.paths[path][method].parameters.filter((one: Json) => one.in === "header")
      .map(({ name }: Json) => name);
  assertEquals(headersOf("get", "/v1/scopes/{s}/barrier"), ["Prefer"]);
  assertEquals(headersOf("get", "/v1/inodes/{i}/data"), [
    ...["Range", "If-Range", "If-Match", "If-None-Match"],
  ]);
  assertEquals(headersOf("get", "/v1/events"), ["Last-Event-ID"]);
  assertEquals(Object.keys(document.components.securitySchemes), ["token", "ticket"]);
  assertEquals(await daemon.stop(), 0);
});

/** A request made of nothing but the examples of an operation. */
function exampleRequest(at: string, operation: Json): { path: string; init: RequestInit } {
  const [method = "", template = ""] = at.split(" ");
  const query = new URLSearchParams();
  let path = template;
  for (const { name, in: place, example, required } of operation.parameters ?? []) {
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(example));
    // A wait would take its time, and a ticket is for a socket.
    else if (place === "query" && (required || !["timeoutMs", "ticket"].includes(name))) {
      query.set(name, String(example));
    }
  }
  const [type, media] = Object.entries<Json>(operation.requestBody?.content ?? {})[0] ?? [];
  const headers: Record<string, string> = { accept: "application/json" };
  if (type !== undefined) headers["content-type"] = type;
  const body = media === undefined
    ? null
    : media.example === undefined
    ? new Uint8Array(4)
    : JSON.stringify(media.example);
  return { path: `${path}?${query}`, init: { method: method.toUpperCase(), headers, body } };
}

Deno.test("GET /openapi.json has examples that the daemon can read, every one", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/images`);
  await using daemon = await Daemon.start({ args: ["--root", `images=${folder}`] });
  const document = await daemon.json(200, "GET", "/openapi.json") as Json;
  const unread: string[] = [];
  const done: string[] = [];
  const form = ["malformed-request", "value-not-allowed", "bad-name", "wrong-media-type"];
  // What is made comes first and what is deleted last, so that the others find something.
  const operations = operationsOf(document).toSorted((a, b) => rank(a.at) - rank(b.at));
  for (const { at, is } of operations) {
    const { path, init } = exampleRequest(at, is);
    const response = await daemon.fetch(path, { ...init, signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    if (response.status < 400) done.push(at);
    else if (form.includes(JSON.parse(text).code)) unread.push(`${at}: ${JSON.parse(text).detail}`);
  }
  assertEquals(unread, []);
  assert(done.length > 40, `only these were done: ${done.join(", ")}`);
  assertEquals(await daemon.stop(), 0);
});

function rank(at: string): number {
  return ["put", "post", "patch", "get", "delete"].indexOf(at.split(" ")[0] as string);
}

Deno.test("every route is declared in the one frame, but for files of pages", async () => {
  const outside: string[] = [];
  for (const folder of ["http", "generations", "devices", "inodes", "guests", "operate"]) {
    for await (const { name } of Deno.readDir(new URL(`routes/${folder}`, ROOT))) {
      const text = await Deno.readTextFile(new URL(`routes/${folder}/${name}`, ROOT));
      if (/\b(?:routes|app|this)\.(?:get|post|put|patch|delete|all|on)\(/.test(text)) {
        outside.push(`${folder}/${name}`);
      }
    }
  }
  // The app's are guards of all routes together.
  assertEquals(outside.sort(), ["http/app.ts", "operate/console.ts"]);
});
