/** The daemon did not answer: it is not there, or something in between refused. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";

  constructor(url: string, cause: unknown) {
    const why = cause instanceof Error ? cause.cause ?? cause : cause;
    super(`Cannot reach the daemon at ${url}: ${why instanceof Error ? why.message : why}`, {
      cause,
    });
  }
}
