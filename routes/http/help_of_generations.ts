/** What the problems of generations come from, and what to do: cause and advice of each code. */
export const HELP_OF_GENERATIONS = {
  "scope-not-found": [
    "No scope has this name. It was never made, or was deleted.",
    "Look at `GET /v1/scopes`, or make it with `PUT /v1/scopes/{s}`.",
  ],
  "scope-in-use": [
    "Somebody still watches the scope, or a guest shows its generation.",
    "Release the watchers and delete the guests first, or delete it with `force=true` as an " +
    "admin.",
  ],
  "scopes-exhausted": [
    "There are as many scopes as the daemon takes, deleted ones whose counters it remembers " +
    "included.",
    "Delete scopes that nobody needs, or use fewer names.",
  ],
  "watcher-not-found": [
    "No watcher of the scope has this id: it was released, or its lease ran out while it was " +
    "not tracked.",
    "Register again with `PUT`, and take the generation that it answers with as a change.",
  ],
  "watchers-exhausted": [
    "The scope has as many watchers, or the daemon as many connections, as it takes.",
    "Release watchers that are not needed, or let one program watch for several.",
  ],
  "not-watching": [
    "This connection has not watched the scope, or has ended that.",
    "Send a frame `watch` for the scope first.",
  ],
  "bump-not-permitted": [
    "The caller may not change generations, or not those of this scope.",
    "Use a token with the permission `bump` for the scope.",
  ],
  "minimum-out-of-range": [
    "The minimum is no generation, or there is none above it.",
    "Give a whole number from 0 to 4294967295, or leave it out.",
  ],
  "watcher-token-spent": [
    "Another has called as this watcher, such as a clone of the caller, or an answer with the next " +
    "token was lost. Or the watcher has shown a token before, and this call shows none.",
    "`PUT` the watcher with the token that you have: you become a watcher of your own if need " +
    "be. Adapt to the generation that it has to confirm.",
  ],
  "stale-generation": [
    "The generation that is confirmed is not the current one: a bump came in between.",
    "Read the current generation, adapt to that, and confirm it. Never confirm without " +
    "having adapted.",
  ],
  "watchers-outdated": [
    "Tracked watchers have not confirmed the generation yet. The barrier names them.",
    "Keep traffic back and ask again, with `Prefer: wait=N` to wait. Look after a watcher " +
    "that never confirms.",
  ],
  "watchers-failed": [
    "Tracked watchers said that they could not adapt. The barrier names them with their reasons.",
    "Mend or restart those programs. The barrier opens when they confirm or are released.",
  ],
  "watchers-lost": [
    "Tracked watchers are gone without having confirmed, and nobody knows whether they still run.",
    "Find out what became of them. If they are dead, release them; if they live, they must " +
    "come back.",
  ],
  "expectations-unmet": [
    "Somebody whom the scope expects has not confirmed: perhaps it has not started yet.",
    "Ask again, with `Prefer: wait=N` to wait. Correct `expect` if that program never watches.",
  ],
  "already-confirmed": [
    "The watcher has confirmed this generation, so it cannot report a failure to adapt to it.",
    "Ask whoever bumps for another bump if it has failed after all.",
  ],
  "not-quiesced": [
    "Tracked watchers do not stand still yet, and the caller or the scope demands that.",
    "Wait for them with `GET …/quiesce` and `Prefer: wait=N`, then bump.",
  ],
  "not-quiescing": [
    "No quiesce is on: it was never asked for, has ended, or its time is up.",
    "Begin one with `POST …/quiesce`.",
  ],
  "generation-changed": [
    "Another bump came while the caller waited, so the answer would be about the past.",
    "Read the current generation and ask for that one.",
  ],
  "caller-outdated": [
    "The caller is a watcher of the scope itself and has not confirmed.",
    "Adapt and confirm first, then pass the barrier.",
  ],
  "page-unusable": [
    "Something else is in the place of the page file, or it cannot be written.",
    "Remove what `detail` names, or correct who may write there. The page itself is never to " +
    "be removed.",
  ],
  "watcher-not-owned": [
    "Another principal registered the watcher, and only that one and admins speak for it.",
    "Use the token that registered it, or register a watcher under an id of one's own.",
  ],
} as const;
