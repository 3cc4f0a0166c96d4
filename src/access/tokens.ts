import { isSameText } from "../core/constant_time.ts";
import { Fault } from "../core/faults.ts";
import { parsePermissions, type Permission, permits } from "./permissions.ts";

/** A caller, and what it is permitted to do. */
export class Principal {
  readonly #permissions: ReadonlySet<Permission>;

  /**
   * @param name What logs and history call it; never the token
   * @param isToken Whether it was let in by a token, and has to go when that token is removed
   */
  constructor(readonly name: string, permissions: Iterable<Permission>, readonly isToken = false) {
    this.#permissions = new Set(permissions);
  }

  /** Whether this caller has exactly these permissions, no more and no fewer. */
  hasExactly(permissions: readonly Permission[]): boolean {
    return this.#permissions.symmetricDifference(new Set(permissions)).size === 0;
  }

  /** Whether this caller may do what needs the permission. */
  may(permission: Permission): boolean {
    return permits(this.#permissions, permission);
  }

  /** @throws {Fault} `not-permitted` when this caller may not do what needs the permission */
  require(permission: Permission): void {
    if (this.may(permission)) return;
    throw new Fault(
      permission === "bump" ? "bump-not-permitted" : "not-permitted",
      `Cannot let ${this.name} do this: it needs the permission "${permission}" and has ` +
        `${[...this.#permissions].join(", ") || "none"}`,
    );
  }
}

/** A caller that may do everything, such as one who can open the unix socket. */
export function admin(name: string): Principal {
  return new Principal(name, ["admin"]);
}

/** One line of the token file. */
export interface TokenEntry {
  readonly token: string;
  readonly permissions: readonly Permission[];
}

/**
 * Reads a token file. Each line is `TOKEN` or `TOKEN permission,permission`; a token without
 * permissions may do everything. A `#` begins a comment.
 *
 * @throws {RangeError} naming the line that cannot be read, never its token
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseTokenFile } from "./tokens.ts";
 *
 * assertEquals(parseTokenFile("# mine\nabc\ndef read,watch\n"), [
 *   { token: "abc", permissions: ["admin"] },
 *   { token: "def", permissions: ["read", "watch"] },
 * ]);
 * ```
 */
export function parseTokenFile(text: string): readonly TokenEntry[] {
  const entries: TokenEntry[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [token = "", permissions = "admin", ...rest] = line.replace(/#.*/, "").trim()
      .split(/\s+/);
    if (token === "") continue;
    try {
      if (rest.length > 0) throw new RangeError("it has more than a token and its permissions");
      entries.push({ token, permissions: parsePermissions(permissions, ",") });
    } catch (error) {
      throw new RangeError(`Cannot read token file line ${index + 1}: ${(error as Error).message}`);
    }
  }
  return entries;
}

/** The tokens in force, and the caller that each stands for. */
export class Tokens {
  #known: readonly { token: string; principal: Principal }[] = [];

  constructor(entries: readonly TokenEntry[]) {
    this.replace(entries);
  }

  /** Puts other tokens in force. An unchanged entry stays the same principal, so its sockets stay. */
  replace(entries: readonly TokenEntry[]): void {
    const before = this.#known;
    this.#known = entries.map(({ token, permissions }, index) =>
      before.find((known) => known.token === token && known.principal.hasExactly(permissions)) ??
        { token, principal: new Principal(`token ${index + 1}`, permissions, true) }
    );
  }

  /** Whether a caller may still call: it needs no token, or its token is in force. */
  knows(principal: Principal): boolean {
    return !principal.isToken || this.#known.some((known) => known.principal === principal);
  }

  /** @throws {Fault} `token-unknown` when the caller's token was removed */
  requireKnown(principal: Principal): void {
    if (!this.knows(principal)) {
      throw new Fault("token-unknown", "Cannot let this caller in: its token was removed");
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
