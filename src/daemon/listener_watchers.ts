import type { Scopes } from "../generations/scopes.ts";

/**
 * Releases the watchers that were superseded and came by a listener which an operator has deleted:
 * nobody can be them any more. Those that nobody followed stay in the barrier until an operator
 * releases them, or they come back by another way.
 *
 * @param principal Of the listener
 */
export async function releaseSuperseded(
  scopes: Scopes,
  principal: string,
  name: string,
): Promise<void> {
  if (!scopes.has(name)) return;
  const scope = scopes.get(name);
  const gone = [...scope.state.watchers].filter(({ owner, supersededBy }) =>
    owner === principal && supersededBy !== undefined
  );
  for (const { id } of gone) {
    // It may have gone by itself meanwhile.
    if (scope.state.has(id)) await scope.watchers.release(id);
  }
}
