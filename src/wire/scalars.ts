/**
 * The scalars of the API as zod schemas. Each says of a bad value whether it is of the wrong type
 * (`malformed-request`) or of the right type and not allowed (`value-not-allowed`, `bad-name`):
 * {@linkcode faultOf} turns the issues of a failed parse into that fault.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { Fault, type FaultCode, FAULTS } from "../core/faults.ts";
import {
  LIST_ITEMS_DEFAULT,
  LIST_ITEMS_MAX,
  LISTED_NAMES_MAX,
  NAME_CHARS_MAX,
  REASON_CHARS_MAX,
  U32_MAX,
  U64_MAX,
} from "../core/limits.ts";
import { issueText, rightForm } from "./validation.ts";

z.config({ customError: issueText });

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const DECIMAL = /^(?:0|[1-9][0-9]*)$/;
const SIGNED_DECIMAL = /^-?[0-9]+$/;

/**
 * Refuses a value inside a refinement or a transform of it.
 *
 * @param code The fault that the request then ends in
 * @param path Where in the value the mistake is, when not the whole value is wrong
 */
export function refuse(
  ctx: z.RefinementCtx,
  message: string,
  code: FaultCode = "malformed-request",
  path: PropertyKey[] = [],
): never {
  ctx.addIssue({ code: "custom", message, path, params: { fault: code } });
  return z.NEVER;
}

/** A name that a client chooses: `[a-z0-9][a-z0-9._-]{0,63}`, else `bad-name`. */
export const Name = z.string().superRefine((text, ctx) => {
  if (!NAME.test(text)) {
    refuse(
      ctx,
      `name must be 1 to ${NAME_CHARS_MAX} of a-z 0-9 . _ - and begin with a letter or digit: ` +
        `received ${JSON.stringify(text.slice(0, 80))}`,
      "bad-name",
    );
  }
}).openapi({ pattern: NAME.source, example: "vm-7" });

/** A text that an operator reads. */
export const Reason = z.string().min(1).max(REASON_CHARS_MAX).openapi({
  example: "restored from snapshot 12",
});

/** A time as it is shown: RFC 3339 in UTC, with nanoseconds. */
export const Time = z.iso.datetime({ precision: 9 }).openapi({
  example: "2026-11-20T12:00:00.000000001Z",
});

/**
 * An unsigned 64-bit number: a decimal string, or a safe integer in a request. A `bigint` after
 * the parse.
 */
export const U64 = z.union([z.string(), z.number()]).transform((value, ctx): bigint => {
  if (typeof value === "number") {
    if (!Number.isInteger(value)) {
      return refuse(ctx, `must be an integer: received ${value}`);
    }
    if (value < 0 || !Number.isSafeInteger(value)) {
      return refuse(
        ctx,
        `must be from 0 to 2^53 - 1 as a number, above that a decimal string: received ${value}`,
        "value-not-allowed",
      );
    }
    return BigInt(value);
  }
  if (!SIGNED_DECIMAL.test(value)) {
    return refuse(ctx, `must be a decimal number: received ${JSON.stringify(value.slice(0, 40))}`);
  }
  if (!DECIMAL.test(value) || value.length > 20 || BigInt(value) > U64_MAX) {
    return refuse(
      ctx,
      `must be from 0 to 2^64 - 1 without leading zeros: received ${value.slice(0, 40)}`,
      "value-not-allowed",
    );
  }
  return BigInt(value);
}).openapi({ type: "string", pattern: "^(0|[1-9][0-9]*)$", example: "4096" });

/** An unsigned 64-bit number in an answer: always a decimal string. */
export const U64Text = z.string().regex(
  DECIMAL,
  rightForm("a decimal number without leading zeros"),
)
  .openapi({ example: "4096" });

/** An unsigned 32-bit number: generations, counts. */
export const U32 = z.int().min(0).max(U32_MAX).openapi({ example: 7 });

/** The code of a fault. */
export const Code = z.enum(Object.keys(FAULTS) as FaultCode[]);

/** One of a few words. Another word is not allowed; a missing value or no text is malformed. */
export function wordOf<const Word extends string>(known: readonly Word[]) {
  return z.string().pipe(z.enum(known)).openapi({ type: "string", enum: [...known] });
}

/** An unsigned number of at most so many decimal digits, in a query. */
export function digits(most: number) {
  return z.string().regex(
    new RegExp(`^[0-9]{1,${most}}$`),
    rightForm(`a number of at most ${most} digits`),
  ).transform(Number);
}

/** `true` or `false` in a query. */
export const Flag = z.enum(["true", "false"]).transform((text) => text === "true")
  .openapi({ type: "boolean", example: true });

/** `?limit=` of a list: how many items a page has at most. */
export const Limit = z.string().regex(
  /^[1-9][0-9]{0,3}$/,
  rightForm(`a number from 1 to ${LIST_ITEMS_MAX}`),
).transform(Number)
  .pipe(z.int().min(1).max(LIST_ITEMS_MAX)).optional().default(LIST_ITEMS_DEFAULT)
  .openapi({
    type: "integer",
    minimum: 1,
    maximum: LIST_ITEMS_MAX,
    example: LIST_ITEMS_DEFAULT,
    description: "How many items the page has at most",
  });

/** `?limit=&cursor=` of a list whose keys have at most so many characters. */
export function pageQuery(keyCharsMax: number) {
  const cursor = z.string().max(keyCharsMax).optional().openapi({
    example: "vm-7",
    description: "`next` of the page before; the first page goes without",
  });
  return { limit: Limit, cursor };
}

/** Names between commas, each once. */
export const NameList = z.string().max(LISTED_NAMES_MAX * (NAME_CHARS_MAX + 1))
  .transform((text) => [...new Set(text.split(","))]).pipe(z.array(Name).max(LISTED_NAMES_MAX));

/**
 * A page of a list. `seq` is the number of the last event before the list was read. `next` is the cursor of the page after it, where there is one. */
export function pageView<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item).describe("The items of this page"),
    next: z.string().optional().openapi({
      description: "`cursor` of the next page; the last page has none",
      example: "vm-8",
    }),
    seq: z.int().optional().openapi({
      description: "Number of the last event before this was read: follow the events after that " +
        "of the first page, and none is missed",
      example: 41,
    }),
  });
}

/** `?ticket=` of a WebSocket, which a browser sends instead of a token. */
export const TicketQuery = z.string().optional().openapi({
  description: "A ticket from `POST /v1/tickets`, in place of a token",
  example: "b1f0c5d27a9e4b3f8c2d6a7f00112233",
});

/** Issues that say "wrong type, missing or unknown member": 400. All others are 422. */
const MALFORMED = new Set(["invalid_type", "unrecognized_keys", "invalid_union"]);

/** What was parsed, in words. */
const WHAT: Readonly<Record<string, string>> = {
  json: "the body",
  query: "the query",
  param: "the path",
  header: "the headers",
  frame: "the frame",
};

/**
 * The fault of a failed parse: the first issue that concerns the form of the request, else the
 * first one at all. All issues are listed in the member `issues`.
 *
 * @param where What was parsed: `json`, `query`, `param`, `header` or `frame`
 */
export function faultOf(error: z.ZodError, where: string): Fault {
  const issues = error.issues.map((issue) => ({
    code: issueFault(issue),
    at: issue.path.map(String).join(".") || where,
    message: issue.message,
  }));
  const first = issues.find((issue) => issue.code === "malformed-request") ?? issues[0];
  const { code, at, message } = first ??
    { code: "malformed-request" as const, at: where, message: "cannot be read" };
  const place = at === where ? "" : ` at "${at.slice(0, 80)}"`;
  return new Fault(code, `Cannot accept ${WHAT[where] ?? where}${place}: ${message}`, {
    members: { issues: issues.map(({ at, message }) => ({ at, message })) },
  });
}

function issueFault(issue: z.core.$ZodIssue): FaultCode {
  if (issue.code === "custom" && issue.params !== undefined) {
    return issue.params["fault"] as FaultCode;
  }
  return MALFORMED.has(issue.code) ? "malformed-request" : "value-not-allowed";
}
