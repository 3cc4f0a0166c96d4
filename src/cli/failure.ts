import { ProblemError } from "../client/problem_error.ts";
import { UnreachableError } from "../client/unreachable_error.ts";
import { Fault, type FaultCode, type FaultKind, FAULTS } from "../core/faults.ts";
import { SystemError } from "../core/system_error.ts";
import type { Problem } from "../wire/problem.ts";
import { EXIT, EXIT_TABLE, ExitError, type ExitName } from "./exit.ts";

/** Why a command ended without being done. Everything in it may come from outside. */
export interface Failure {
  readonly status: number;
  /** What failed, why, and what to do; a line each. */
  readonly lines: readonly string[];
  /** What the daemon said, where it said something. */
  readonly problem?: Problem;
}

/** How a kind of refusal ends a command. */
const STATUS_OF_KIND: Readonly<Record<FaultKind, number>> = {
  malformed: EXIT.usage,
  unauthenticated: EXIT.notPermitted,
  forbidden: EXIT.notPermitted,
  missing: EXIT.notFound,
  "wrong-method": EXIT.mistake,
  conflict: EXIT.refused,
  gone: EXIT.refused,
  stale: EXIT.refused,
  "too-large": EXIT.usage,
  "wrong-type": EXIT.usage,
  unsatisfiable: EXIT.usage,
  invalid: EXIT.usage,
  internal: EXIT.mistake,
  unavailable: EXIT.failed,
  exhausted: EXIT.refused,
};

/** Codes that end a command otherwise than others of their kind. */
const STATUS_OF_CODE: Partial<Readonly<Record<FaultCode, number>>> = {
  "watchers-outdated": EXIT.late,
  "watchers-lost": EXIT.late,
  "expectations-unmet": EXIT.late,
  "watchers-failed": EXIT.failed,
  "wrong-guest-kind": EXIT.refused,
  "key-reused": EXIT.refused,
  "answer-not-kept": EXIT.refused,
  "root-read-only": EXIT.refused,
  "inode-read-only": EXIT.refused,
  "register-read-only": EXIT.refused,
  "backing-full": EXIT.failed,
  "page-unusable": EXIT.failed,
  "device-unreadable": EXIT.failed,
  "snapshot-damaged": EXIT.failed,
  "shutting-down": EXIT.unreachable,
  "engine-unavailable": EXIT.refused,
  "keys-exhausted": EXIT.refused,
  "cache-full": EXIT.refused,
  "console-input-full": EXIT.refused,
};

/** What to do about a refusal, in words of the command line. */
const ADVICE: Partial<Readonly<Record<FaultCode, string>>> = {
  "token-missing": "give --token-file FILE or set INNKEEPER_TOKEN",
  "token-unknown": "give another one with --token-file FILE or INNKEEPER_TOKEN",
  "host-not-allowed": 'the daemon has to be started with "innkeeper serve --allow-host NAME"',
  "scope-not-found": '"innkeeper scopes" lists them, and the first "innkeeper watch" makes one',
  "watcher-not-found": '"innkeeper watchers SCOPE" lists them',
  "inode-not-found": '"innkeeper inodes list" lists them',
  "device-not-found": '"innkeeper devices list" lists them',
  "guest-not-found": '"innkeeper guests list" lists them',
  "not-owner": "give the token that its creation printed with --owner or INNKEEPER_OWNER",
  "not-quiesced": "wait until they have, or give --force",
};

/**
 * Explains an error.
 *
 * @param address Where the daemon was looked for
 * @returns `undefined` for a mistake of our own
 */
export function explain(error: unknown, address?: string): Failure | undefined {
  if (error instanceof ProblemError) return explainProblem(error.problem, address);
  if (error instanceof Fault) return { status: statusOf(error.code, {}), lines: [error.message] };
  if (error instanceof UnreachableError) return unreachable(error.reason, address ?? "");
  if (isOfHost(error)) return { status: EXIT.failed, lines: [`Cannot go on: ${error.message}`] };
  if (!(error instanceof ExitError)) return undefined;
  return { status: error.status, lines: error.message.split("\n") };
}

/** Whether the host refused something: a file, a disk that is full. */
function isOfHost(error: unknown): error is Error {
  if (error instanceof SystemError) return true;
  if (error instanceof Deno.errors.NotCapable) return false;
  return Object.values(Deno.errors).some((kind) => error instanceof kind);
}

/** A failure as the last line of JSON. */
export function failureJson({ status, lines, problem }: Failure): object {
  const name = (Object.keys(EXIT_TABLE) as ExitName[]).find((key) => EXIT[key] === status);
  return {
    error: {
      kind: name,
      exitStatus: status,
      message: lines[0],
      ...(problem === undefined ? {} : { problem }),
    },
  };
}

function explainProblem(problem: Problem, address: string | undefined): Failure {
  const { type, code, detail } = problem;
  // The client makes such a problem of an answer that is none of Innkeeper's.
  if (type === "about:blank") return unreachable(detail, address ?? "");
  const advice = ADVICE[code];
  const said = inOurWords(detail);
  return {
    status: statusOf(code, problem),
    lines: [advice === undefined ? said : `${said}; ${advice}`, ...watchersOf(problem)],
    problem,
  };
}

function statusOf(code: FaultCode, { confirmed, expected }: Readonly<Record<string, unknown>>) {
  const isUnwatched = confirmed === 0 && Array.isArray(expected) && expected.length === 0;
  if (code === "expectations-unmet" && isUnwatched) return EXIT.unwatched;
  // A newer daemon may know codes that this program does not.
  const kind = Object.hasOwn(FAULTS, code) ? FAULTS[code].kind : undefined;
  return STATUS_OF_CODE[code] ?? (kind === undefined ? EXIT.refused : STATUS_OF_KIND[kind]);
}

/** Leaves out what only a program that speaks HTTP could do. */
function inOurWords(detail: string): string {
  return detail.split(/(?=; |: )/)
    .filter((clause) => !/\b(GET|PUT|POST|PATCH|DELETE) (its|\S*\/)/.test(clause))
    .join("");
}

interface NamedWatcher {
  readonly name: string;
  readonly presence: string;
  readonly reason?: string;
}

/** A line for each watcher that is in the way. */
function watchersOf({ watchers }: Problem): string[] {
  if (!Array.isArray(watchers)) return [];
  return (watchers as NamedWatcher[]).map(({ name, presence, reason }) =>
    `  ${name}: ${presence}${reason === undefined ? "" : `, ${reason}`}`
  );
}

/** What the platform's errors say around the reason. */
const AROUND_REASON = /^error sending request.*?\): |client error \(\w+\): | \(os error [0-9]+\)$/g;

/** Says where the daemon was looked for, and what to do. */
function unreachable(reason: string, address: string): Failure {
  const why = reason.replaceAll(AROUND_REASON, "");
  const line = address.includes("://")
    ? `Cannot reach the daemon at ${address}: ${why}; is it started, and is that its address? ` +
      "--url or INNKEEPER_URL names another one"
    : `Cannot reach the daemon at the socket ${address}: ${why}; start it with ` +
      '"innkeeper serve", or name its socket with --socket or INNKEEPER_SOCKET';
  return { status: EXIT.unreachable, lines: [line] };
}
