import { assert, assertEquals } from "@std/assert";
import { Fault, type FaultCode, FAULTS } from "../../src/core/faults.ts";
import { problemOf, statusOf, toJson } from "../../src/wire/problem.ts";

Deno.test("problemOf() carries the fault's members and its POSIX name", () => {
  const fault = new Fault("stale-generation", "Cannot confirm 1: current is 2", {
    members: { generation: 2 },
  });
  assertEquals(problemOf(fault, "/v1/x"), {
    type: "/problems/stale-generation",
    title: "Generation is not current",
    status: 409,
    detail: "Cannot confirm 1: current is 2",
    instance: "/v1/x",
    code: "stale-generation",
    errno: "EINVAL",
    retryable: false,
    generation: 2,
  });
});

Deno.test("statusOf() gives every code a status of the 4xx and 5xx, and 500 to our mistakes only", () => {
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    assert(statusOf(code) >= 400 && statusOf(code) < 600, code);
    assertEquals(statusOf(code) === 500, code === "internal-error", code);
  }
});

Deno.test("toJson() writes 64-bit numbers as decimal strings", () => {
  assertEquals(toJson({ epoch: 18446744073709551615n }), '{"epoch":"18446744073709551615"}');
});
