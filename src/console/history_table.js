/** @import { PastBump } from "./types.ts" */
/** @import { View } from "./views.ts" */
import { el, setText } from "./dom.js";
import { keyedTable } from "./tables.js";
import { ticking } from "./ticking.js";
import { durationText } from "./time.js";

/**
 * The last bumps of a scope, newest first.
 *
 * @returns {View<readonly PastBump[]>}
 */
export function historyTable() {
  const table = keyedTable({
    name: "history",
    caption: "The last bumps, newest first",
    head: ["Generation", "Reason", "By", "When", "Watchers", "Settled after"],
    keyOf: ({ bump }) => bump.epoch,
    makeRow: bumpRow,
  });
  return {
    element: table.element,
    update: (bumps) => table.update(bumps.map((bump, index) => ({ bump, isNewest: index === 0 }))),
  };
}

/** @typedef {{ readonly bump: PastBump, readonly isNewest: boolean }} RowData */

/** @returns {View<RowData>} */
function bumpRow() {
  const generation = el("th", { scope: "row", class: "number" });
  const reason = el("td", { class: "reason" });
  const by = el("td", { class: "by" });
  const when = ticking("ago");
  const since = el("td", { class: "since" }, when.element);
  const outdated = el("td", { class: "number" });
  const took = el("td", { class: "number" });
  const element = el("tr", {}, generation, reason, by, since, outdated, took);
  return {
    element,
    update({ bump, isNewest }) {
      setText(generation, String(bump.generation));
      setText(reason, bump.reason);
      setText(by, bump.by);
      when.update(bump.at);
      setText(outdated, String(bump.outdated));
      const unsettled = isNewest ? "not yet" : "never";
      setText(took, bump.tookMs === undefined ? unsettled : durationText(bump.tookMs));
    },
  };
}
