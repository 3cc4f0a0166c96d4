/** @import { Scope } from "./types.ts" */
/** @import { View } from "./views.ts" */
import { el, setAttribute, setText } from "./dom.js";
import { stateMark } from "./marks.js";
import { keyedTable } from "./tables.js";
import { ticking } from "./ticking.js";
import { scopeState } from "./labels.js";

/**
 * One page of all scopes by name. Rows do not move when phases change.
 *
 * @returns {View<readonly Scope[]>}
 */
export function scopesTable() {
  return keyedTable({
    name: "scopes",
    caption: "All scopes by name",
    head: ["Scope", "State", "Gen.", "Confirmed", "Bumped"],
    keyOf: ({ name }) => name,
    makeRow: scopeRow,
  });
}

/** @returns {View<Scope>} */
function scopeRow() {
  const link = el("a", { class: "name" });
  const state = stateMark();
  const generation = el("td", { class: "number" });
  const confirmed = el("td", { class: "number" });
  const bumped = ticking("ago");
  const since = el("td", { class: "since" }, bumped.element);
  const name = el("th", { scope: "row" }, link);
  const element = el("tr", {}, name, el("td", {}, state.element), generation, confirmed, since);
  return {
    element,
    update(scope) {
      setText(link, scope.name);
      setAttribute(link, "href", `#/scopes/${scope.name}`);
      state.update(scopeState(scope));
      setText(generation, String(scope.generation));
      const { tracked, outdated } = scope;
      setText(confirmed, tracked === 0 ? "–" : `${tracked - outdated} of ${tracked}`);
      bumped.update(scope.changedAt);
    },
  };
}
