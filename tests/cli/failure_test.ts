import { assert, assertEquals, assertMatch } from "@std/assert";
import { ProblemError } from "../../src/client/problem_error.ts";
import { EXIT, EXIT_TABLE, ExitError } from "../../src/cli/exit.ts";
import { explain, failureJson } from "../../src/cli/failure.ts";
import { Fault, type FaultCode, FAULTS } from "../../src/core/faults.ts";
import { problemOf } from "../../src/wire/problem.ts";
import { filesBelow, textOf } from "../support/tree.ts";

function explained(code: FaultCode, members: Record<string, unknown> = {}, detail = "Cannot") {
  const failure = explain(new ProblemError(problemOf(new Fault(code, detail, { members }))), "/s");
  assert(failure !== undefined);
  return failure;
}

for (
  const [code, status] of [
    ["token-missing", "notPermitted"],
    ["token-unknown", "notPermitted"],
    ["not-permitted", "notPermitted"],
    ["not-owner", "notPermitted"],
    ["scope-not-found", "notFound"],
    ["file-not-found", "notFound"],
    ["watchers-outdated", "late"],
    ["watchers-lost", "late"],
    ["watchers-failed", "failed"],
    ["backing-failed", "failed"],
    ["generation-changed", "refused"],
    ["not-quiesced", "refused"],
    ["guest-dead", "refused"],
    ["inode-read-only", "refused"],
    ["answer-not-kept", "refused"],
    ["bad-name", "usage"],
    ["minimum-out-of-range", "usage"],
    ["shutting-down", "unreachable"],
    ["internal-error", "mistake"],
  ] as const
) {
  Deno.test(`explain() ends with ${status} for ${code}`, () => {
    assertEquals(explained(code).status, EXIT[status]);
  });
}

Deno.test("explain() knows a status of the table for every fault", () => {
  const statuses = new Set<number>(Object.values(EXIT_TABLE).map(([status]) => status));
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    assert(statuses.has(explained(code).status), code);
  }
});

Deno.test("explain() tells a scope that nobody watches from one where somebody is late", () => {
  const of = (confirmed: number, expected: string[]) =>
    explained("expectations-unmet", { confirmed, expected }).status;
  assertEquals([of(0, []), of(1, []), of(0, ["app"])], [EXIT.unwatched, EXIT.late, EXIT.late]);
});

Deno.test("explain() takes a code of a newer daemon for a refusal", () => {
  const problem = { ...problemOf(new Fault("bad-name", "Cannot")), code: "from-the-future" };
  assertEquals(explain(new ProblemError(problem as never))?.status, EXIT.refused);
});

Deno.test("explain() leaves methods and paths of HTTP out of what the daemon says", () => {
  const { lines } = explained(
    "scope-not-found",
    {},
    'Cannot find scope "a": make it with PUT /v1/scopes/a',
  );
  assertMatch(lines[0] ?? "", /^Cannot find scope "a"; "innkeeper scopes" lists them/);
  const details = ["src/", "routes/"].flatMap(filesBelow).filter((path) => path.endsWith(".ts"))
    .flatMap((path) => [...textOf(path).matchAll(/["`](Cannot [^"`]*)["`]/g)])
    .map(([, detail = ""]) => detail);
  assert(details.length > 100, `only ${details.length} messages were found`);
  for (const detail of details) {
    const [line = ""] = explained("bad-name", {}, detail).lines;
    assert(!/\b(GET|PUT|POST|PATCH|DELETE) [/…]/.test(line), line);
  }
});

Deno.test("explain() names each watcher that is in the way, with its reason", () => {
  const watchers = [{ name: "app", presence: "here", reason: "no entropy" }, {
    name: "db",
    presence: "lost",
  }];
  const { lines } = explained("watchers-failed", { watchers });
  assertEquals(lines.slice(1), ["  app: here, no entropy", "  db: lost"]);
});

Deno.test("failureJson() is one shape: kind, exit status, message, and the problem", () => {
  const failure = explained("watchers-outdated", { watchers: [] });
  assertEquals(failureJson(failure), {
    error: { kind: "late", exitStatus: 8, message: "Cannot", problem: failure.problem },
  });
  const usage = explain(new ExitError(EXIT.usage, "Cannot\nusage: x"));
  assert(usage !== undefined);
  assertEquals(failureJson(usage), {
    error: { kind: "usage", exitStatus: 2, message: "Cannot" },
  });
});
