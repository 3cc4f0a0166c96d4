import type { Principal } from "./tokens.ts";

/** Where a request came in. */
export type Listener =
  /** A unix socket: everyone who can open it acts as this principal. */
  | { readonly kind: "unix"; readonly principal: Principal }
  /** TCP: the caller needs a token, and the Host header is checked. */
  | { readonly kind: "tcp" };
