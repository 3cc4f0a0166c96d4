import { hash } from "node:crypto";
import { isSameText } from "../core/constant_time.ts";
import { Fault } from "../core/faults.ts";
import type { Caller, Permission, Target } from "../core/rights.ts";
import type { Taker } from "../core/shares.ts";
import { type Grant, grantText, parseGrant, permits, splitGrants } from "./grants.ts";

/** A caller, and what it is permitted to do. */
export class Principal implements Caller {
  readonly #grants: readonly Grant[];
  readonly #ending = new AbortController();

  /**
   * @param name What logs and history call it, and whom its watchers belong to; never the token
   * @param grants As people write them, such as `read` or `watch:vm-*`
   * @param isToken Whether it was let in by a token, and has to go when that token is removed
   */
  constructor(readonly name: string, grants: Iterable<string>, readonly isToken = false) {
    this.#grants = [...grants].map(parseGrant);
  }

  /** Aborted when the token was removed or means something else now: waits end then. */
  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  /** Ends what this caller waits for, because its token is no longer in force. */
  end(): void {
    this.#ending.abort();
  }

  /** Its grants, each once and in one order: equal for callers that may do the same. */
  get grants(): readonly string[] {
    return [...new Set(this.#grants.map(grantText))].sort();
  }

  may(permission: Permission, on?: Target): boolean {
    return permits(this.#grants, permission, on);
  }

  /** Whether it has the permission in any form, for everything or for some names. */
  mayOnSome(permission: Permission): boolean {
    return this.may(permission) || this.#grants.some((grant) => grant.permission === permission);
  }

  require(permission: Permission, on?: Target): void {
    if (!this.may(permission, on)) throw this.refusal(permission, on);
  }

  /** @throws {Fault} `not-permitted` when it has the permission in no form at all */
  requireOnSome(permission: Permission): void {
    if (!this.mayOnSome(permission)) throw this.refusal(permission);
  }

  /** The refusal of what needs a permission that it lacks. It shows nobody's names but its own. */
  refusal(permission: Permission, on?: Target): Fault {
    const what = on === undefined ? "" : ` on ${on.kind}/${on.name.slice(0, 80)}`;
    return new Fault(
      permission === "bump" ? "bump-not-permitted" : "not-permitted",
      `Cannot let ${this.name} do this: it needs the permission "${permission}"${what} and has ` +
        `${this.#grants.map(grantText).join(", ") || "none"}`,
    );
  }
}

/** Whose share it is that a principal takes of. */
export function takerOf(principal: Principal): Taker {
  return { name: principal.name, isAdmin: principal.may("admin") };
}

/** A caller that may do everything, such as one who can open the unix socket. */
export function admin(name: string): Principal {
  return new Principal(name, ["admin"]);
}

/** One line of the token file. */
export interface TokenEntry {
  readonly token: string;
  /** What the principal is called; a token without one is called by a hash of it. */
  readonly name?: string;
  /** Its grants as people write them, such as `read` or `watch:vm-*`. */
  readonly permissions: readonly string[];
}

const PRINCIPAL_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const HASH_CHARS = 16;

/** The name of a token that was given none. No line of a token file can give a name of this form. */
function hashName(token: string): string {
  return `token:${hash("sha256", token).slice(0, HASH_CHARS)}`;
}

/**
 * Reads a token file. Each line is `TOKEN [name=NAME] [GRANT,GRANT]`; a token without grants may do
 * everything. A `#` begins a comment. Lines of one name are one principal, such as while its secret
 * is being changed, and must have equal grants (docs/access.md#1).
 *
 * @throws {RangeError} naming the line that cannot be read, never its token
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseTokenFile } from "./tokens.ts";
 *
 * assertEquals(parseTokenFile("# mine\nabc\ndef name=ci-7 read,watch:vm-*\n"), [
 *   { token: "abc", permissions: ["admin"] },
 *   { token: "def", name: "ci-7", permissions: ["read", "watch:vm-*"] },
 * ]);
 * ```
 */
export function parseTokenFile(text: string): readonly TokenEntry[] {
  const entries: TokenEntry[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [token = "", ...rest] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (token === "") continue;
    try {
      const entry = { token, ...principalOf(rest) };
      requireEqualGrants(entry, entries);
      entries.push(entry);
    } catch (error) {
      throw new RangeError(`Cannot read token file line ${index + 1}: ${(error as Error).message}`);
    }
  }
  return entries;
}

function principalOf(fields: readonly string[]): Omit<TokenEntry, "token"> {
  const name = /^name=(.*)$/.exec(fields[0] ?? "")?.[1];
  const [grants = "admin", ...rest] = name === undefined ? fields : fields.slice(1);
  if (rest.length > 0) throw new RangeError("it has more than a token, a name and its grants");
  const permissions = splitGrants(grants.replace(/^(?:permissions|scopes)=/, ""), ",");
  if (name === undefined) return { permissions };
  if (PRINCIPAL_NAME.test(name)) return { name, permissions };
  throw new RangeError(
    `"${name.slice(0, 80)}" is no name: it must be 1 to 64 of a-z 0-9 . _ - and begin with a ` +
      "letter or digit",
  );
}

function requireEqualGrants(entry: TokenEntry, others: readonly TokenEntry[]): void {
  if (entry.name === undefined) return;
  const same = others.find(({ name }) => name === entry.name);
  if (same === undefined) return;
  const [one, other] = [entry, same].map(({ permissions }) =>
    new Principal("", permissions).grants.join()
  );
  if (one === other) return;
  throw new RangeError(
    `"${entry.name}" has other grants than in the line before: lines of one name carry equal grants`,
  );
}

/** The tokens in force, and the caller that each stands for. */
export class Tokens {
  #known: readonly { token: string; principal: Principal }[] = [];

  constructor(entries: readonly TokenEntry[]) {
    this.replace(entries);
  }

  /**
   * Puts other tokens in force. A line whose token, name and grants are unchanged stays the same
   * principal, so its sockets stay; what every other one waits for ends.
   */
  replace(entries: readonly TokenEntry[]): void {
    const before = this.#known;
    this.#known = entries.map(({ token, name = hashName(token), permissions }) => {
      const principal = new Principal(name, permissions, true);
      const isSame = (known: typeof before[number]): boolean =>
        known.token === token && known.principal.name === name &&
        known.principal.grants.join() === principal.grants.join();
      return before.find(isSame) ?? { token, principal };
    });
    for (const known of before) if (!this.#known.includes(known)) known.principal.end();
  }

  /** Whether a caller may still call: it needs no token, or its token is in force. */
  knows(principal: Principal): boolean {
    return !principal.isToken || this.#known.some((known) => known.principal === principal);
  }

  /** @throws {Fault} `token-unknown` when the caller's token was removed */
  requireKnown(principal: Principal): void {
    if (!this.knows(principal)) {
      throw new Fault(
        "token-unknown",
        "Cannot let this caller in: its token was removed, or its grants were changed",
      );
    }
  }

  /**
   * Finds the caller that a token stands for. It compares every entry, so that the time of an
   * answer does not tell which one matched.
   *
   * @throws {Fault} `token-unknown`
   */
  authenticate(token: string): Principal {
    const found = this.#known.filter((known) => isSameText(token, known.token)).at(-1);
    if (found !== undefined) return found.principal;
    throw new Fault("token-unknown", "Cannot accept the token: it is not in the token file");
  }
}
