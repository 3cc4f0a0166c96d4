import type { Problem } from "../wire/problem.ts";

/** The daemon refused a request and said why. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}
