/** @import { Api } from "./api.js" */
/** @import { Scope, Watcher } from "./types.ts" */
/** @import { View } from "./views.ts" */
import { scopeButtons } from "./actions.js";
import { el, Keyed, setText } from "./dom.js";
import { stateMark } from "./marks.js";
import { ticking } from "./ticking.js";
import { durationText } from "./time.js";
import { barrierState, phaseState, quiesceState, watcherState, watcherWhy } from "./words.js";

/** How many watchers a card names; the scope's own page names them all. */
export const CARD_WATCHERS = 6;

/**
 * A scope with those of its watchers that are in the way.
 *
 * @typedef {object} CardData
 * @property {Scope} scope
 * @property {readonly Watcher[]} watchers
 * @property {boolean} hasMore
 * @property {number} [tookMs] It has settled, after this long
 */

/** @typedef {{ readonly watcher: Watcher, readonly isCleared: boolean }} CardRow */

/**
 * A scope that has not settled: what it waits for, and what can be done.
 *
 * @param {Api} api
 * @returns {View<CardData & { rows: readonly CardRow[] }>}
 */
export function scopeCard(api) {
  const link = el("a", { class: "name" });
  const phase = stateMark();
  const generation = el("span", { class: "figure" });
  const since = ticking("ago");
  const reason = el("q");
  const buttons = scopeButtons(api);
  const subject = el("b");
  const barrier = stateMark();
  const detail = el("span");
  const left = ticking("left");
  const ending = el("span", { class: "muted" }, "ends in ", left.element);
  const rows = el("tbody");
  const table = el(
    "table",
    { class: "late" },
    el("caption", { class: "sr" }, "Watchers that are in the way"),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ...["Watcher", "State", "For", "Confirmed last"].map((name) =>
          el("th", { scope: "col" }, name)
        ),
      ),
    ),
    rows,
  );
  const more = el("a", { class: "more" });
  const watchers = new Keyed(
    rows,
    /** @param {LateData} late */ ({ watcher }) => watcher.watcher,
    lateRow,
  );
  const element = el(
    "article",
    { class: "card" },
    el(
      "header",
      {},
      el("h3", {}, link),
      phase.element,
      el("p", { class: "facts" }, generation, " · ", reason, " · ", since.element),
      buttons.element,
    ),
    el("p", { class: "barrier" }, subject, " ", barrier.element, " ", detail, ending),
    table,
    more,
  );
  return {
    element,
    update({ scope, rows: shown, hasMore, tookMs }) {
      setText(link, scope.name);
      link.href = `#/scopes/${scope.name}`;
      phase.update(phaseState(scope));
      setText(generation, `generation ${scope.generation}`);
      since.update(scope.quiesce?.since ?? scope.changedAt);
      setText(reason, scope.quiesce?.reason ?? scope.reason);
      buttons.update(scope);
      setText(subject, scope.quiesce === undefined ? "Barrier" : "Quiesce");
      const state = scope.quiesce === undefined ? barrierState(scope) : quiesceState(scope);
      barrier.update(state);
      const took = tookMs === undefined || scope.outdated > 0
        ? ""
        : ` It took ${durationText(tookMs)}.`;
      setText(detail, `${state.detail}${took}`);
      ending.hidden = scope.quiesce === undefined;
      left.update(scope.quiesce && endOf(scope.quiesce));
      watchers.update(shown.map((row) => ({ ...row, scope })));
      table.hidden = shown.length === 0;
      more.hidden = !hasMore;
      more.href = link.href;
      setText(more, `All watchers of ${scope.name}`);
    },
  };
}

/** @param {NonNullable<Scope["quiesce"]>} quiesce */
export function endOf({ since, maxMs }) {
  return new Date(Date.parse(since) + maxMs).toISOString();
}

/** @typedef {CardRow & { readonly scope: Scope }} LateData */

/** @returns {View<LateData>} */
function lateRow() {
  const name = el("th", { scope: "row" });
  const state = stateMark();
  const why = el("span", { class: "why" });
  const since = ticking("for");
  const acked = el("span");
  const ackedAt = ticking("ago");
  const element = el(
    "tr",
    {},
    name,
    el("td", { class: "state-cell" }, state.element, why),
    el("td", { class: "since" }, since.element),
    el("td", { class: "acked" }, acked, ackedAt.element),
  );
  return {
    element,
    update({ scope, watcher, isCleared }) {
      setText(name, watcher.name);
      element.toggleAttribute("data-cleared", isCleared);
      if (isCleared) {
        state.update({ mark: "ok", word: "No longer late" });
        setText(why, "confirmed or released");
        return since.update(undefined);
      }
      state.update(watcherState(scope, watcher));
      setText(why, watcherWhy(watcher));
      since.update(watcher.outdatedSince ?? scope.quiesce?.since ?? watcher.presenceSince);
      setText(
        acked,
        watcher.ackedGeneration === undefined ? "never" : `generation ${watcher.ackedGeneration}, `,
      );
      ackedAt.update(watcher.ackedAt);
    },
  };
}
