/** Everything that a caller can be permitted to do. `admin` implies all the others. */
const PERMISSIONS = ["read", "watch", "bump", "write", "guest", "irq", "admin"] as const;

/** A right to do something. */
export type Permission = typeof PERMISSIONS[number];

/** Whether somebody with these permissions may do what needs `needed`. */
export function permits(granted: ReadonlySet<Permission>, needed: Permission): boolean {
  return granted.has("admin") || granted.has(needed);
}

/**
 * Reads permissions joined by `separator`, such as `read,watch`.
 *
 * @throws {RangeError} naming the word that is not a permission
 */
export function parsePermissions(text: string, separator: string): readonly Permission[] {
  return text.split(separator).map((name) => {
    const permission = PERMISSIONS.find((known) => known === name.trim());
    if (permission !== undefined) return permission;
    throw new RangeError(`Cannot read permission "${name}": known are ${PERMISSIONS.join(", ")}`);
  });
}
