import { z } from "@hono/zod-openapi";

const ID_CHARS_MAX = 128;

/** `?quiesce=` of a long poll. */
export const GenerationQuery = z.object({
  quiesce: z.string().max(ID_CHARS_MAX).optional().openapi({
    example: "q-0123456789abcdef",
    description: "The quiesce that the caller knows of, or `none`: the answer comes as soon as " +
      "another one is on. Without it, as soon as one begins or ends",
  }),
});
