/** The daemon did not answer: it is not there, or something in between refused. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
  /** Why, without saying where. */
  readonly reason: string;

  constructor(url: string, cause: unknown) {
    const why = cause instanceof Error ? cause.cause ?? cause : cause;
    const reason = why instanceof Error ? why.message : String(why);
    super(`Cannot reach the daemon at ${url}: ${reason}`, { cause });
    this.reason = reason;
  }
}
