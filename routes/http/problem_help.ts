import type { FaultCode } from "../../src/core/faults.ts";
import { HELP_OF_DEVICES } from "./help_of_devices.ts";
import { HELP_OF_GENERATIONS } from "./help_of_generations.ts";
import { HELP_OF_GUESTS } from "./help_of_guests.ts";
import { HELP_OF_INODES } from "./help_of_inodes.ts";
import { HELP_OF_REQUESTS } from "./help_of_requests.ts";

/** What a problem comes from, and what to do about it. */
type Help = readonly [cause: string, advice: string];

/** Help for every code there is: a new one without help does not compile. */
export const PROBLEM_HELP: Readonly<Record<FaultCode, Help>> = {
  ...HELP_OF_REQUESTS,
  ...HELP_OF_GENERATIONS,
  ...HELP_OF_DEVICES,
  ...HELP_OF_INODES,
  ...HELP_OF_GUESTS,
};
