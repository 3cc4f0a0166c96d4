import { matchesPattern } from "../core/name_pattern.ts";
import {
  NAME_KINDS,
  type NameKind,
  type Permission,
  PERMISSIONS,
  type Target,
} from "../core/rights.ts";

/** A permission, for everything or for the names of one kind that fit a pattern. */
export interface Grant {
  readonly permission: Permission;
  /** What it is limited to; nothing when the permission means all. */
  readonly names?: { readonly kind: NameKind; readonly pattern: string } | undefined;
}

/** The kind that a pattern means which names none. `admin` takes no pattern. */
const USUAL_KINDS: Readonly<Record<Permission, NameKind | undefined>> = {
  read: "scopes",
  watch: "scopes",
  bump: "scopes",
  write: "scopes",
  guest: "guests",
  irq: "guests",
  admin: undefined,
};

/** What a user of the host may do. */
export interface UserGrant {
  readonly uid: number;
  /** As people write them, such as `watch` or `watch:vm-*`. */
  readonly grants: readonly string[];
}

/** A name that clients choose, or a prefix of one, or any with one `*` at the end. */
const NAME_PATTERN = /^(?:[a-z0-9][a-z0-9._-]{0,63}\*?|\*)$/;
/** Remotes and listeners are named by addresses. */
const ADDRESS_PATTERN = /^[^\s*,+]*(?:[^\s*,+]|\*)$/;

/**
 * Whether grants permit what needs a permission (docs/access.md#3).
 *
 * @param on What it would be done to; what no pattern can name is left out
 */
export function permits(
  grants: Iterable<Grant>,
  needed: Permission,
  on?: Target,
): boolean {
  for (const { permission, names } of grants) {
    if (permission === "admin") return true;
    if (permission !== needed) continue;
    if (names === undefined) return true;
    if (on?.kind === names.kind && matchesPattern(names.pattern, on.name)) return true;
  }
  return false;
}

/** A grant as it is written, always with its kind: what two equal grants have in common. */
export function grantText({ permission, names }: Grant): string {
  return names === undefined ? permission : `${permission}:${names.kind}/${names.pattern}`;
}

/**
 * Parts grants that are joined by `separator`, such as `read,watch:vm-*`.
 *
 * @returns Each as it is written, and checked
 * @throws {RangeError} naming the grant that cannot be read
 */
export function splitGrants(text: string, separator: string): readonly string[] {
  const grants = text.split(separator).map((grant) => grant.trim());
  for (const grant of grants) parseGrant(grant);
  return grants;
}

/**
 * Reads one grant: `PERMISSION`, `PERMISSION:PATTERN` or `PERMISSION:KIND/PATTERN`.
 *
 * @throws {RangeError} naming the grant and what is wrong with it
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { grantText, parseGrant } from "./grants.ts";
 *
 * assertEquals(parseGrant("read"), { permission: "read" });
 * assertEquals(grantText(parseGrant("watch:vm-*")), "watch:scopes/vm-*");
 * assertEquals(grantText(parseGrant("read:roots/images")), "read:roots/images");
 * ```
 */
export function parseGrant(text: string): Grant {
  const colon = text.indexOf(":");
  const word = colon < 0 ? text : text.slice(0, colon);
  const permission = PERMISSIONS.find((known) => known === word);
  if (permission === undefined) {
    throw new RangeError(
      `Cannot read permission "${word.slice(0, 80)}": known are ${PERMISSIONS.join(", ")}`,
    );
  }
  if (colon < 0) return { permission };
  const usual = USUAL_KINDS[permission];
  if (usual === undefined) {
    throw unreadable(text, `"${permission}" stands for everything and takes no pattern`);
  }
  const { kind = usual, pattern } = namesOf(text, text.slice(colon + 1));
  const isAddress = kind === "remotes" || kind === "listeners";
  if ((isAddress ? ADDRESS_PATTERN : NAME_PATTERN).test(pattern)) {
    return { permission, names: { kind, pattern } };
  }
  throw unreadable(
    text,
    `"${pattern.slice(0, 80)}" is no pattern: it must be a name, or a prefix with one * at its end`,
  );
}

function namesOf(grant: string, text: string): { kind?: NameKind; pattern: string } {
  const slash = text.indexOf("/");
  if (slash < 0) return { pattern: text };
  const kind = NAME_KINDS.find((known) => known === text.slice(0, slash));
  if (kind !== undefined) return { kind, pattern: text.slice(slash + 1) };
  throw unreadable(
    grant,
    `"${text.slice(0, slash)}" is no kind of names: known are ${NAME_KINDS.join(", ")}`,
  );
}

function unreadable(grant: string, why: string): RangeError {
  return new RangeError(`Cannot read grant "${grant.slice(0, 120)}": ${why}`);
}
