import type { Context, MiddlewareHandler } from "hono";
import type { NameKind, Permission } from "../../src/core/rights.ts";
import type { Env } from "./env.ts";

/** Where the name is that a right is needed on. */
type On =
  /** In the path: the guard checks it before the request is looked at. */
  | { readonly kind: NameKind; readonly param: string }
  /**
   * Elsewhere: the guard lets pass whoever has the permission on some name, and the handler checks
   * it on each thing that it shows or changes.
   */
  | {
    readonly kind: NameKind;
    readonly in: "body" | "query" | "each item" | "each frame" | "what it is of";
  };

/** A right that a call needs (docs/access.md#4). */
export interface Need {
  readonly permission: Permission;
  /** What it is needed on. Nothing that a pattern can name when it is left out. */
  readonly on?: On | readonly On[];
}

/** A right that a call needs beside the first, and in which case. */
export interface FurtherNeed extends Need {
  readonly when: string;
}

/** The right to do this to the scope of the path. */
export function onScope(permission: Permission): Need {
  return { permission, on: { kind: "scopes", param: "s" } };
}

/** The right to do this to the guest of the path. */
export function onGuest(permission: Permission): Need {
  return { permission, on: { kind: "guests", param: "g" } };
}

/** The parts of a need: a permission alone is one without names. */
export function needOf(needs: Permission | Need): Need {
  return typeof needs === "string" ? { permission: needs } : needs;
}

/** Lets only callers through who have a right, as far as the path tells what it is needed on. */
export function rightGuard(needs: Permission | Need): MiddlewareHandler<Env> {
  const { permission, on } = needOf(needs);
  const [only, ...others] = on === undefined ? [] : [on].flat();
  if (only === undefined) {
    return (c, next) => {
      c.get("principal").require(permission);
      return next();
    };
  }
  if (!("param" in only) || others.length > 0) {
    return (c, next) => {
      c.get("principal").requireOnSome(permission);
      return next();
    };
  }
  const { kind, param } = only;
  return (c, next) => {
    c.get("principal").require(permission, { kind, name: nameIn(c, param) });
    return next();
  };
}

function nameIn(c: Context<Env>, param: string): string {
  return c.req.param(param) ?? "";
}
