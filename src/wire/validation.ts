/**
 * What is wrong with a value, in words. The texts of the schema library name its own types and
 * classes; these say what would be right, and what came.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";

const SHOWN_CHARS_MAX = 40;
const SHOWN_WORDS_MAX = 20;

/** What a type is called that a schema expects. */
const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** What is right of a value that has one of these forms. */
const FORMS: Readonly<Record<string, string>> = {
  base64: "bytes in base64",
  datetime: "a time as RFC 3339 has it, in UTC and with nanoseconds",
};

/** A value as it came, shortened. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const cut = [...value].slice(0, SHOWN_CHARS_MAX).join("");
  return cut === value ? JSON.stringify(value) : `${JSON.stringify(cut)}…`;
}

function anyOf(known: readonly unknown[]): string {
  const all = known.slice(0, SHOWN_WORDS_MAX).map((word) => JSON.stringify(word));
  if (known.length > SHOWN_WORDS_MAX) return `one of ${all.join(", ")} and others`;
  return all.length === 1 ? String(all[0]) : `one of ${all.join(", ")}`;
}

function typeOf(schema: z.core.$ZodType | undefined, expected: string): string {
  const { format } = (schema?._zod.def ?? {}) as { format?: string };
  return TYPES[expected === "number" && format === "safeint" ? "int" : expected] ?? expected;
}

/** The bounds of a number, both where both are known. */
function boundsOf(schema: z.core.$ZodType | undefined, issue: BoundIssue): string {
  const checks = (schema?._zod.def.checks ?? []).map((check) => check._zod.def as Bound);
  const minimum = checks.find(({ check }) => check === "greater_than")?.value;
  const maximum = checks.find(({ check }) => check === "less_than")?.value;
  if (minimum !== undefined && maximum !== undefined) return `from ${minimum} to ${maximum}`;
  return issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
}

/** A check of a number in its schema. */
interface Bound {
  readonly check: string;
  readonly value?: number;
}

type BoundIssue = z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig>;

/** What is wrong with a value that has too few or too many of something, or is out of bounds. */
function boundText(issue: BoundIssue): string {
  const { origin, input } = issue;
  if (origin === "string" || origin === "array") {
    const bound = issue.code === "too_small"
      ? `at least ${issue.minimum}`
      : `at most ${issue.maximum}`;
    if (issue.code === "too_small" && issue.minimum === 1) return "must not be empty";
    const length = (input as string | unknown[]).length;
    const unit = origin === "string" ? "characters" : "items";
    return `must have ${bound} ${unit}: received ${length}`;
  }
  return `must be ${boundsOf(schemaOf(issue), issue)}: received ${shown(input)}`;
}

function schemaOf(issue: object): z.core.$ZodType | undefined {
  return (issue as { schema?: z.core.$ZodType }).schema;
}

/** The members that an object may have, where its schema says. */
function knownMembers(issue: object): string {
  const { shape } = (schemaOf(issue)?._zod.def ?? {}) as { shape?: object };
  return shape === undefined ? "" : `; known are ${Object.keys(shape).join(", ")}`;
}

/** What a value may be that fits no choice of a union. */
function choicesText(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string {
  const { discriminator, options } = issue as { discriminator?: string; options?: unknown[] };
  if (discriminator !== undefined && options !== undefined) {
    const given = (issue.input as Record<string, unknown>)[discriminator];
    return `must be ${anyOf(options)}: received ${shown(given)}`;
  }
  const types = issue.errors.flat().flatMap((one) =>
    one.code === "invalid_type" ? [typeOf(undefined, one.expected)] : []
  );
  const right = types.length === 0 ? "in another form" : [...new Set(types)].join(" or ");
  return mustBe(right, issue.input);
}

function mustBe(right: string, input: unknown): string {
  return input === undefined
    ? `is missing: it must be ${right}`
    : `must be ${right}: received ${shown(input)}`;
}

/** The text of a schema for a value that does not fit its pattern. */
export function rightForm(right: string) {
  return { error: ({ input }: { readonly input: unknown }): string => mustBe(right, input) };
}

/** What is wrong with a value. A schema that has a text of its own is not asked. */
export function issueText(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return mustBe(typeOf(schemaOf(issue), issue.expected), issue.input);
    case "invalid_value":
      return mustBe(anyOf(issue.values.map((value) => value ?? null)), issue.input);
    case "too_small":
    case "too_big":
      return boundText(issue);
    case "invalid_format":
      return FORMS[issue.format] === undefined
        ? `must fit ${issue.pattern ?? issue.format}: received ${shown(issue.input)}`
        : mustBe(FORMS[issue.format] as string, issue.input);
    case "unrecognized_keys": {
      const names = issue.keys.slice(0, SHOWN_WORDS_MAX).map(shown).join(", ");
      return `has unknown members ${names}${knownMembers(issue)}`;
    }
    case "invalid_union":
      return choicesText(issue);
    case "invalid_key":
      return "has a name that is not allowed";
    default:
      return mustBe("something else", issue.input);
  }
}
