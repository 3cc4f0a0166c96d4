/** @import { Api } from "./api.js" */
/** @import { Scope, Watcher } from "./types.ts" */
/** @import { View } from "./views.ts" */
import { scopeButtons } from "./actions.js";
import { el, setText } from "./dom.js";
import { barrierLine, quiesceLine } from "./gate_line.js";
import { stateMark } from "./marks.js";
import { keyedTable } from "./tables.js";
import { ticking } from "./ticking.js";
import { phaseState, watcherState, watcherWhy } from "./labels.js";

/** How many watchers a card names. The page of the scope has more. */
export const CARD_WATCHERS = 6;

/**
 * A scope with those of its watchers that are in the way.
 *
 * @typedef {object} CardData
 * @property {Scope} scope
 * @property {readonly Watcher[]} watchers
 * @property {boolean} hasMore
 */

/**
 * A watcher that is in the way, or was since the card is shown.
 *
 * @typedef {{ readonly watcher: Watcher, readonly isCleared: boolean }} CardRow
 */

/**
 * A card with its rows, and for a settled scope when that was seen and how long it took.
 *
 * @typedef {CardData & { rows: readonly CardRow[], settledAtMs?: number, tookMs?: number }} ShownCard
 */

/**
 * The card of a scope: what it waits for, and what can be done.
 *
 * @param {Api} api
 * @returns {View<ShownCard>}
 */
export function scopeCard(api) {
  const link = el("a", { class: "name" });
  const phase = stateMark();
  const generation = el("span", { class: "figure" });
  const since = ticking("ago");
  const reason = el("q");
  const buttons = scopeButtons(api);
  const barrier = barrierLine();
  const quiesce = quiesceLine();
  const watchers = lateTable();
  const more = el("a", { class: "more" });
  const facts = el("p", { class: "facts" }, generation, " · ", reason, " · ", since.element);
  const header = el("header", {}, el("h3", {}, link), phase.element, facts, buttons.element);
  const parts = [header, barrier.element, quiesce.element, watchers.element, more];
  const element = el("article", { class: "card" }, ...parts);
  return {
    element,
    update({ scope, rows, hasMore, settledAtMs, tookMs }) {
      element.toggleAttribute("data-settled", settledAtMs !== undefined);
      setText(link, scope.name);
      link.href = `#/scopes/${scope.name}`;
      phase.update(phaseState(scope));
      setText(generation, `generation ${scope.generation}`);
      since.update(scope.quiesce?.since ?? scope.changedAt);
      setText(reason, scope.quiesce?.reason ?? scope.reason);
      buttons.update(scope);
      barrier.update({ scope, ...(tookMs === undefined ? {} : { tookMs }) });
      // Only one of the two is shown: a quiesce comes before its bump.
      barrier.element.hidden = scope.quiesce !== undefined;
      quiesce.update(scope);
      watchers.update(rows.map((row) => ({ ...row, scope })));
      watchers.element.hidden = rows.length === 0;
      more.hidden = !hasMore;
      more.href = link.href;
      setText(more, `All watchers of ${scope.name}`);
    },
  };
}

/** @typedef {CardRow & { readonly scope: Scope }} LateData */

/** @returns {View<readonly LateData[]>} */
function lateTable() {
  return keyedTable({
    name: "late",
    caption: "Watchers that are in the way",
    head: ["Watcher", "State", "For", "Confirmed last"],
    keyOf: ({ watcher }) => watcher.watcher,
    makeRow: lateRow,
  });
}

/** @returns {View<LateData>} */
function lateRow() {
  const name = el("th", { scope: "row" });
  const state = stateMark();
  const why = el("span", { class: "why" });
  const since = ticking("for");
  const acked = el("span");
  const ackedAt = ticking("ago");
  const stateCell = el("td", { class: "state-cell" }, state.element, why);
  const sinceCell = el("td", { class: "since" }, since.element);
  const ackedCell = el("td", { class: "acked" }, acked, ackedAt.element);
  const element = el("tr", {}, name, stateCell, sinceCell, ackedCell);
  return {
    element,
    update({ scope, watcher, isCleared }) {
      setText(name, watcher.name);
      element.toggleAttribute("data-cleared", isCleared);
      if (isCleared) {
        state.update({ mark: "ok", word: "No longer late" });
        setText(why, "confirmed or released");
        setText(acked, "");
        since.update(undefined);
        return ackedAt.update(undefined);
      }
      state.update(watcherState(scope, watcher));
      setText(why, watcherWhy(watcher));
      since.update(watcher.outdatedSince ?? scope.quiesce?.since ?? watcher.presenceSince);
      const { ackedGeneration } = watcher;
      setText(acked, ackedGeneration === undefined ? "never" : `generation ${ackedGeneration}, `);
      ackedAt.update(watcher.ackedAt);
    },
  };
}
