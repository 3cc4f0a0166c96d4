import type { Principal } from "../../src/access/tokens.ts";

/** Where a request came in. */
export type Listener =
  /** A unix socket: whoever can open it is this principal. */
  | { readonly kind: "unix"; readonly principal: Principal }
  /** TCP: a token is needed and the Host header is checked. */
  | { readonly kind: "tcp" };

/** What every route finds in its context. */
export interface Env {
  Bindings: { readonly listener: Listener };
  Variables: { requestId: string; principal: Principal };
}
