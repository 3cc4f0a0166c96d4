import { Fault } from "../core/faults.ts";

/** What a caller may be allowed to do. `admin` stands for all, and alone allows `force`. */
const ACCESS = ["read", "watch", "bump", "write", "guest", "irq", "admin"] as const;

/** One permission. */
export type Access = typeof ACCESS[number];

/** Somebody who calls, and what they may do. */
export class Principal {
  readonly #access: ReadonlySet<Access>;

  /**
   * @param name How logs and history call it; never the token
   * @param access What it may do
   * @param isToken Whether it is known by a token, and gone when that is removed
   */
  constructor(readonly name: string, access: Iterable<Access>, readonly isToken = false) {
    this.#access = new Set(access);
  }

  /** Whether this caller may do exactly this and no more. */
  hasExactly(access: readonly Access[]): boolean {
    return new Set(access).size === this.#access.size &&
      access.every((one) => this.#access.has(one));
  }

  /** Whether this caller may do it. */
  may(access: Access): boolean {
    return this.#access.has("admin") || this.#access.has(access);
  }

  /** @throws {Fault} `not-permitted` when this caller may not do it */
  require(access: Access): void {
    if (this.may(access)) return;
    throw new Fault(
      access === "bump" ? "bump-not-permitted" : "not-permitted",
      `Cannot let ${this.name} do this: it needs the scope "${access}" and has ` +
        `${[...this.#access].join(", ") || "none"}`,
    );
  }
}

/** A caller that may do everything: whoever can open the unix socket. */
export function admin(name: string): Principal {
  return new Principal(name, ["admin"]);
}

/** One line of the token file. */
export interface TokenEntry {
  readonly token: string;
  readonly access: readonly Access[];
}

/**
 * Reads access scopes joined by `separator`, such as `read,watch`.
 *
 * @throws {RangeError} when a word is not a scope
 */
export function parseAccess(text: string, separator: string): readonly Access[] {
  return text.split(separator).map((word) => {
    const access = ACCESS.find((known) => known === word.trim());
    if (access === undefined) {
      throw new RangeError(`Cannot read scope "${word}": known are ${ACCESS.join(", ")}`);
    }
    return access;
  });
}

/**
 * Reads a token file: one `<token>[ scope,scope]` a line, no scopes for all, `#` for comments.
 *
 * @throws {RangeError} naming the line, never the token, when a line cannot be read
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseTokenFile } from "./tokens.ts";
 *
 * assertEquals(parseTokenFile("# mine\nabc\ndef read,watch\n"), [
 *   { token: "abc", access: ["admin"] },
 *   { token: "def", access: ["read", "watch"] },
 * ]);
 * ```
 */
export function parseTokenFile(text: string): readonly TokenEntry[] {
  const entries: TokenEntry[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*/, "").trim().split(/\s+/);
    const [token = "", scopes, ...rest] = words;
    if (token === "") continue;
    if (rest.length > 0) {
      throw new RangeError(`Cannot read token file line ${index + 1}: more than two words`);
    }
    try {
      entries.push({ token, access: scopes === undefined ? ["admin"] : parseAccess(scopes, ",") });
    } catch (error) {
      throw new RangeError(`Cannot read token file line ${index + 1}: ${(error as Error).message}`);
    }
  }
  return entries;
}

/** The tokens in force, and who stands behind each. */
export class Tokens {
  readonly #encoder = new TextEncoder();
  #known: readonly { bytes: Uint8Array; principal: Principal }[] = [];

  constructor(entries: readonly TokenEntry[]) {
    this.replace(entries);
  }

  /** Puts other tokens in force; a token that stays, with its rights, keeps its principal. */
  replace(entries: readonly TokenEntry[]): void {
    const before = this.#known;
    this.#known = entries.map(({ token, access }, index) => {
      const bytes = this.#encoder.encode(token);
      const same = before.find((known) =>
        equalBytes(known.bytes, bytes) && known.principal.hasExactly(access)
      );
      return {
        bytes,
        principal: same?.principal ?? new Principal(`token ${index + 1}`, access, true),
      };
    });
  }

  /** Whether a principal may still call: it needs no token, or its token is in force. */
  knows(principal: Principal): boolean {
    return !principal.isToken || this.#known.some((known) => known.principal === principal);
  }

  /** @throws {Fault} `token-unknown` when the principal's token was removed */
  requireKnown(principal: Principal): void {
    if (!this.knows(principal)) {
      throw new Fault("token-unknown", "Cannot let this caller in: its token was removed");
    }
  }

  /**
   * Who a token belongs to.
   *
   * @throws {Fault} `token-unknown`
   */
  authenticate(token: string): Principal {
    const bytes = this.#encoder.encode(token);
    // Every entry is compared in full, so that the time tells nothing of how close a guess came.
    let found: Principal | undefined;
    for (const known of this.#known) {
      if (equalBytes(known.bytes, bytes)) found = known.principal;
    }
    if (found === undefined) {
      throw new Fault("token-unknown", "Cannot accept the token: it is not in the token file");
    }
    return found;
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i % (a.length || 1)] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
