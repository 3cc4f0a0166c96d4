/** @import { PastBump } from "./types.ts" */
/** @import { View } from "./views.ts" */
import { el, Keyed, setText } from "./dom.js";
import { ticking } from "./ticking.js";
import { durationText } from "./time.js";

/**
 * The last bumps of a scope, newest first.
 *
 * @returns {View<readonly PastBump[]>}
 */
export function historyTable() {
  const body = el("tbody");
  const rows = new Keyed(body, /** @param {RowData} row */ ({ bump }) => bump.epoch, bumpRow);
  const head = ["Generation", "Reason", "By", "When", "Watchers", "Settled after"];
  const element = el(
    "table",
    { class: "history" },
    el("caption", { class: "sr" }, "The last bumps, newest first"),
    el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, name)))),
    body,
  );
  return {
    element,
    update: (bumps) => rows.update(bumps.map((bump, index) => ({ bump, isNewest: index === 0 }))),
  };
}

/** @typedef {{ readonly bump: PastBump, readonly isNewest: boolean }} RowData */

/** @returns {View<RowData>} */
function bumpRow() {
  const generation = el("th", { scope: "row", class: "number" });
  const reason = el("td", { class: "reason" });
  const by = el("td", { class: "by" });
  const when = ticking("ago");
  const outdated = el("td", { class: "number" });
  const took = el("td", { class: "number" });
  const element = el(
    "tr",
    {},
    generation,
    reason,
    by,
    el("td", { class: "since" }, when.element),
    outdated,
    took,
  );
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
