import type { Listener } from "../../src/access/listener.ts";
import type { Principal } from "../../src/access/tokens.ts";

/** What every handler finds in its context. */
export interface Env {
  Bindings: { readonly listener: Listener };
  Variables: { requestId: string; principal: Principal };
}
