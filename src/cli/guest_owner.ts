import { environment } from "./environment.ts";
import { text } from "./options.ts";

/** The option by which a command takes the token of a guest's owner. */
export const OWNER = {
  owner: text("token", "the token that its creation printed; INNKEEPER_OWNER"),
} as const;

/** The headers that show a guest's owner. */
export function ownerHeaders(owner = environment.env("INNKEEPER_OWNER")): Record<string, string> {
  return owner === undefined ? {} : { "innkeeper-owner": owner };
}
