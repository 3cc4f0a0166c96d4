import type { FaultCode } from "../core/faults.ts";
import { RemoteError } from "../core/system_error.ts";

/** Codes of what makes a server of no use, whatever is asked of it. */
type RemoteCode = Extract<FaultCode, `remote-${string}`>;

/**
 * The error of an answer that is none of the wanted ones.
 *
 * @param url What was asked for
 */
export function answerError(
  { status, headers }: Pick<Response, "status" | "headers">,
  method: string,
  url: string,
): RemoteError {
  const error = (errno: string, code: RemoteCode | undefined, why: string) =>
    new RemoteError(errno, method, url, code, why);
  if (status === 404 || status === 410) return error("ENOENT", undefined, "there is no such file");
  if (status === 401 || status === 403) {
    return error("EACCES", undefined, `the server answers ${status}: it wants other credentials`);
  }
  if (status >= 300 && status < 400) {
    const location = headers.get("location")?.slice(0, 200) ?? "nowhere";
    return error(
      "EXDEV",
      "remote-redirects",
      `the server redirects to ${location}, which is not followed; open that address`,
    );
  }
  if (status === 429 || status >= 500 && status !== 501) {
    return error("EIO", "remote-failed", `the server answers ${status}; try again`);
  }
  if (status === 200) {
    return error(
      "EOPNOTSUPP",
      "remote-without-ranges",
      "the server ignores Range and sends the whole file; only servers with ranges can be cached",
    );
  }
  return error("EINVAL", "remote-refuses", `the server answers ${status} to ${method} with Range`);
}

/** The error of an answer whose content has another coding, and so other offsets. */
export function codedError(coding: string, method: string, url: string): RemoteError {
  const why = `the server sends Content-Encoding "${
    coding.slice(0, 80)
  }" although none was asked for`;
  return new RemoteError("EPROTO", method, url, "remote-coded", why);
}

/**
 * The error of a request that got no answer.
 *
 * @param isLate Whether it was given up because it took too long
 */
export function requestError(
  cause: unknown,
  isLate: boolean,
  method: string,
  url: string,
): RemoteError {
  if (isLate) {
    const why = "the server did not answer in time; try again";
    return new RemoteError("ETIMEDOUT", method, url, "remote-timed-out", why);
  }
  // The runtime has no names for what went wrong, only text, and that in the innermost cause.
  let text = String(cause);
  for (let error = cause; error instanceof Error; error = error.cause) text = error.message;
  const detail = text.replace(/^error sending request for url \([^)]*\): /, "").slice(0, 200);
  return /certificate|corrupt message|handshake|\btls\b/i.test(text)
    ? new RemoteError(
      "EACCES",
      method,
      url,
      "remote-untrusted",
      `its TLS is not trusted: ${detail}`,
    )
    : new RemoteError("EIO", method, url, "remote-unreachable", `it is not reached: ${detail}`);
}
