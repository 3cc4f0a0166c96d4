import { POLLERR } from "../../native/constants.ts";
import type { OpenFile } from "../node.ts";
import { Refusal } from "../refusal.ts";

/** An open file of which what it shows did not outlive a restart of the daemon. */
export const GONE: OpenFile = {
  read() {
    throw new Refusal("ENODEV");
  },
  poll: () => POLLERR,
};
