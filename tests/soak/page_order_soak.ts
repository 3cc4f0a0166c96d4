import { bumpAndProbe } from "../support/page_order.ts";

Deno.test("page before reply, push and barrier, for 100,000 bumps (case 18)", async () => {
  await bumpAndProbe(100_000);
});
