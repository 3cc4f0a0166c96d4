/**
 * What a caller can be permitted to do, and to what (docs/access.md). The rules of who has which
 * right are in access; this is what the other rooms ask it by.
 *
 * @module
 */

/** Everything that a caller can be permitted to do. `admin` implies all the others. */
export const PERMISSIONS = ["read", "watch", "bump", "write", "guest", "irq", "admin"] as const;

/** A right to do something. */
export type Permission = typeof PERMISSIONS[number];

/** The kinds of things whose names a grant can be limited to. */
export const NAME_KINDS = [
  ...["scopes", "guests", "sandboxes", "roots", "remotes", "listeners"] as const,
];

/** A kind of things that have names. */
export type NameKind = typeof NAME_KINDS[number];

/** One thing that a right is wanted on. */
export interface Target {
  readonly kind: NameKind;
  readonly name: string;
}

/** Who calls, and what that caller may do. */
export interface Caller {
  /** What logs and history call it, and whom its watchers belong to; never a token. */
  readonly name: string;
  /**
   * Whether it may do what needs the permission.
   *
   * @param on What it would be done to. What has no name is left out, and needs the permission
   * without a pattern
   */
  may(permission: Permission, on?: Target): boolean;
  /** @throws {Fault} `not-permitted`, `bump-not-permitted` */
  require(permission: Permission, on?: Target): void;
}
