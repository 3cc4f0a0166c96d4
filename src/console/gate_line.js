/** @import { Scope } from "./types.ts" */
/** @import { View } from "./views.ts" */
import { el, setText } from "./dom.js";
import { stateMark } from "./marks.js";
import { ticking } from "./ticking.js";
import { durationText } from "./time.js";
import { barrierState, quiesceState } from "./words.js";

/**
 * Whether the barrier is open, and why.
 *
 * @returns {View<{ scope: Scope, tookMs?: number }>}
 */
export function barrierLine() {
  const state = stateMark();
  const detail = el("span");
  const element = el("p", { class: "gate" }, el("b", {}, "Barrier "), state.element, detail);
  return {
    element,
    update({ scope, tookMs }) {
      const barrier = barrierState(scope);
      state.update(barrier);
      const isOver = tookMs !== undefined && scope.outdated === 0;
      const took = isOver ? ` It took ${durationText(tookMs)}.` : "";
      setText(detail, `${barrier.detail}${took}`);
    },
  };
}

/**
 * How far a quiesce is, while one is on.
 *
 * @returns {View<Scope>}
 */
export function quiesceLine() {
  const state = stateMark();
  const detail = el("span");
  const left = ticking("left");
  const ending = el("span", { class: "muted" }, "ends in ", left.element);
  const subject = el("b", {}, "Quiesce ");
  const element = el("p", { class: "gate" }, subject, state.element, detail, ending);
  return {
    element,
    update(scope) {
      const { quiesce } = scope;
      element.hidden = quiesce === undefined;
      if (quiesce === undefined) return;
      const far = quiesceState(scope);
      state.update(far);
      setText(detail, far.detail);
      left.update(new Date(Date.parse(quiesce.since) + quiesce.maxMs).toISOString());
    },
  };
}
