/** Words in which routes describe their bodies and answers. */
import { z } from "@hono/zod-openapi";
import { answerHeaders, type ResponseHeader } from "./headers.ts";

/** A JSON answer in the description of a route. */
export function json<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  ...headers: readonly ResponseHeader[]
) {
  const content = { "application/json": { schema } };
  return { description, headers: answerHeaders(...headers), content };
}

/** An answer without a body in the description of a route. */
export function empty(description: string, ...headers: readonly ResponseHeader[]) {
  return { description, headers: answerHeaders(...headers) };
}

/** An answer that is a document of another standard, in the description of a route. */
export function standard(name: string, example: Readonly<Record<string, unknown>>) {
  const schema = z.looseObject({}).describe(`${name} document`);
  return { description: "The document", content: { "application/json": { schema, example } } };
}

/** A JSON body in the description of a route. An empty or differently typed body is refused. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } };
}

/** A JSON merge-patch in the description of a route (RFC 7396). */
export function patchBody<Schema extends z.ZodType>(schema: Schema) {
  const content = { "application/json": { schema }, "application/merge-patch+json": { schema } };
  return { required: true, content };
}

const BINARY = { schema: { type: "string", format: "binary" } } as const;

/** Bytes, in the description of a route. */
export const BYTES = { "application/octet-stream": BINARY };

/** Several ranges of bytes, in the description of a route. */
export const BYTE_RANGES = { "multipart/byteranges": BINARY };

/** An answer of bytes in the description of a route. */
export function bytes(description: string, ...headers: readonly ResponseHeader[]) {
  return { description, headers: answerHeaders(...headers), content: BYTES };
}

/** Text of some media type, in the description of a route. */
export function text<Type extends string>(type: Type, example: string) {
  const media = { schema: z.string(), example };
  return { [type]: media } as Record<Type, typeof media>;
}
