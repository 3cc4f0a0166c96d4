import { z } from "@hono/zod-openapi";
import { assert, assertEquals } from "@std/assert";
import { ScopeOptionsBody } from "../../src/wire/generations.ts";
import { faultOf } from "../../src/wire/scalars.ts";
import { rightForm } from "../../src/wire/validation.ts";
import { ClientFrame } from "../../src/wire/watch_frames.ts";

/** What the refusal of a value says. */
function refusalOf(schema: z.ZodType, value: unknown): string {
  const { error } = schema.safeParse(value);
  assert(error !== undefined, `${JSON.stringify(value)} is taken`);
  return faultOf(error, "json").message;
}

const Word = z.string().regex(/^[a-z]+$/, rightForm("letters"));

const CASES: readonly [schema: z.ZodType, value: unknown, text: string][] = [
  [z.string(), undefined, "is missing: it must be text"],
  [z.string(), null, "must be text: received null"],
  [z.string(), ["a"], "must be text: received a list"],
  [z.boolean(), {}, "must be true or false: received an object"],
  [z.int(), 1.5, "must be a whole number: received 1.5"],
  [z.int(), "1", 'must be a whole number: received "1"'],
  [z.array(z.int()), 7, "must be a list: received 7"],
  [z.record(z.string(), z.int()), 7, "must be an object: received 7"],
  [z.int().min(1).max(5), 9, "must be from 1 to 5: received 9"],
  [z.int().min(1), 0, "must be at least 1: received 0"],
  [z.number().max(5), 9, "must be at most 5: received 9"],
  [z.string().min(1), "", "must not be empty"],
  [z.string().min(3), "a", "must have at least 3 characters: received 1"],
  [z.string().max(3), "abcd", "must have at most 3 characters: received 4"],
  [z.array(z.int()).max(1), [1, 2], "must have at most 1 items: received 2"],
  [z.enum(["a", "b"]), "c", 'must be one of "a", "b": received "c"'],
  [z.literal("a"), undefined, 'is missing: it must be "a"'],
  [z.union([z.string(), z.number()]), null, "must be text or a number: received null"],
  [z.base64(), "*", 'must be bytes in base64: received "*"'],
  [z.string().regex(/^a$/), "b", 'must fit /^a$/: received "b"'],
  [Word, "7", 'must be letters: received "7"'],
  [Word, "7".repeat(50), `must be letters: received "${"7".repeat(40)}"…`],
  [z.custom(() => false), 7, "must be something else: received 7"],
];

for (const [schema, value, text] of CASES) {
  Deno.test(`a value that a schema refuses: ${text.slice(0, 60)}`, () => {
    assertEquals(refusalOf(schema, value), `Cannot accept the body: ${text}`);
  });
}

Deno.test("a refusal says where in the body the mistake is, and which members there are", () => {
  assertEquals(
    refusalOf(ScopeOptionsBody, { onLost: "x" }),
    'Cannot accept the body at "onLost": must be one of "block", "open": received "x"',
  );
  assertEquals(
    refusalOf(z.strictObject({ a: z.int().optional() }), { b: 1 }),
    'Cannot accept the body: has unknown members "b"; known are a',
  );
  assertEquals(
    refusalOf(ClientFrame, { type: "fly" }).slice(0, 72),
    'Cannot accept the body at "type": must be one of "watch", "ack", "fail",',
  );
});

Deno.test("no refusal has words of the schema library", () => {
  const odd = [undefined, null, 7, -1, 1e300, "", "x".repeat(300), [], {}, { type: 1 }, true];
  const schemas = [ScopeOptionsBody, ClientFrame, ...CASES.map(([schema]) => schema)];
  for (const schema of schemas) {
    for (const value of odd) {
      const { error } = schema.safeParse(value);
      for (const { message } of error?.issues ?? []) {
        assert(!/Invalid|Too |expected|Expected|Unrecognized/.test(message), message);
      }
    }
  }
});
