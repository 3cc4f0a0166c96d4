import { Fault } from "../core/faults.ts";
import { BARRIER_MS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import { waitUntil } from "../core/wait_until.ts";
import type { BarrierOpen, BarrierRequest } from "./barrier.ts";
import type { Wait } from "./changes.ts";
import type { LiveScope } from "./live_scope.ts";

/** A scope that has passed, with the evidence for it. */
export interface JointOpen {
  readonly scope: LiveScope;
  readonly open: BarrierOpen;
}

/**
 * Waits until the barriers of several scopes are open **at one moment**, each for the generation
 * that was current when the caller came. One after the other would not do: the first may be shut
 * again before the last has opened.
 *
 * @throws {Fault} as the barrier of one scope; it names in `scope` whose it is, and in `shut` all
 * that are not open
 */
export async function passJointly(
  scopes: readonly LiveScope[],
  request: Pick<BarrierRequest, "atLeast">,
  { waitMs, signal }: Wait,
  clock: Clock,
): Promise<readonly JointOpen[]> {
  const bound = scopes.map((scope) => ({ scope, epoch: scope.state.epoch }));
  const opens = (): (JointOpen | undefined)[] =>
    bound.map(({ scope, epoch }) =>
      named(scope, () => {
        const open = scope.judge(request, epoch);
        return open && { scope, open };
      })
    );
  const look = (): readonly JointOpen[] | undefined => {
    const found = opens();
    const passed = found.filter((one) => one !== undefined);
    return passed.length === found.length ? passed : undefined;
  };
  const listen = (onChange: () => void): () => void => {
    const stops = scopes.map((scope) =>
      request.atLeast === undefined ? scope.listen(onChange) : scope.follow(onChange)
    );
    return () => stops.forEach((stop) => stop());
  };
  const waitAtMostMs = Math.min(waitMs, BARRIER_MS_MAX);
  const passed = await waitUntil(look, { clock, listen, waitMs: waitAtMostMs, signal });
  if (passed !== undefined) return passed;
  const found = opens();
  const shut = scopes.filter((_, index) => found[index] === undefined);
  const [first = scopes[0] as LiveScope] = shut;
  throw of(first, first.lateFault(request), { shut: shut.map(({ state }) => state.name) });
}

/** Judges a scope; its refusal says which one it is. */
function named<Judged>(scope: LiveScope, judge: () => Judged): Judged {
  try {
    return judge();
  } catch (fault) {
    throw fault instanceof Fault ? of(scope, fault, { shut: [scope.state.name] }) : fault;
  }
}

function of({ state }: LiveScope, fault: Fault, more: { readonly shut: readonly string[] }): Fault {
  const { code, message, members } = fault;
  return new Fault(code, message, {
    members: { ...members, scope: state.name, ...more },
    cause: fault,
  });
}
