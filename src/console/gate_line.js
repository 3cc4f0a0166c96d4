/** @import { Scope } from "./types.ts" */
/** @import { Detailed } from "./labels.js" */
/** @import { View } from "./views.ts" */
import { el, setText } from "./dom.js";
import { barrierState, quiesceState } from "./labels.js";
import { stateMark } from "./marks.js";
import { ticking } from "./ticking.js";
import { durationText } from "./time.js";

/**
 * A line that says whether something is open, and why.
 *
 * @param {string} subject
 * @param {...Node} more
 * @returns {View<Detailed>}
 */
function gateLine(subject, ...more) {
  const mark = stateMark();
  const detail = el("span");
  const element = el("p", { class: "gate" }, el("b", {}, subject), mark.element, detail, ...more);
  return {
    element,
    update(state) {
      mark.update(state);
      setText(detail, state.detail);
    },
  };
}

/**
 * Whether the barrier is open, and why.
 *
 * @returns {View<{ scope: Scope, tookMs?: number }>}
 */
export function barrierLine() {
  const line = gateLine("Barrier ");
  return {
    element: line.element,
    update({ scope, tookMs }) {
      const state = barrierState(scope);
      const isOver = tookMs !== undefined && scope.outdated === 0;
      const took = isOver ? ` It took ${durationText(tookMs)}.` : "";
      line.update({ ...state, detail: `${state.detail}${took}` });
    },
  };
}

/**
 * How far a quiesce is, while one is on.
 *
 * @returns {View<Scope>}
 */
export function quiesceLine() {
  const left = ticking("left");
  const line = gateLine("Quiesce ", el("span", { class: "muted" }, "ends in ", left.element));
  return {
    element: line.element,
    update(scope) {
      const { quiesce } = scope;
      line.element.hidden = quiesce === undefined;
      if (quiesce === undefined) return;
      line.update(quiesceState(scope));
      left.update(new Date(Date.parse(quiesce.since) + quiesce.maxMs).toISOString());
    },
  };
}
