/** @import { Scope, Watcher } from "./types.ts" */
/** @import { View } from "./views.ts" */
import { el, Keyed, setText } from "./dom.js";
import { stateMark } from "./marks.js";
import { Scale, tickText } from "./scale.js";
import { durationText, nowMs, timeMs } from "./time.js";
import { watcherState, watcherWhy } from "./labels.js";

/**
 * One scope with a page of its tracked watchers, and how long the last bump took to settle.
 *
 * @typedef {object} WaterfallData
 * @property {Scope} scope
 * @property {readonly Watcher[]} watchers
 * @property {number | undefined} tookMs
 */

/** @typedef {{ readonly watcher: Watcher, readonly scope: Scope, readonly scale: Scale }} RowData */

/**
 * The way from a bump over notices and confirmations to settled, a row for each watcher. The scale of
 * time is logarithmic, so that quick watchers with milliseconds and late ones with minutes fit.
 *
 * @returns {View<WaterfallData>}
 */
export function waterfall() {
  const axis = el("div", { class: "axis", "aria-hidden": "true" });
  const ticks = new Keyed(axis, /** @param {TickData} tick */ ({ ms }) => String(ms), axisTick);
  const settled = el("div", { class: "settled-line", "aria-hidden": "true" });
  const list = el("ol", { class: "rows" });
  const rows = new Keyed(list, /** @param {RowData} row */ ({ watcher }) => watcher.watcher, row);
  const legend = el(
    "p",
    { class: "legend" },
    ...[["told", "bump to told"], ["confirmed", "told to confirmed"], ["open", "still waiting"]]
      .map(([part = "", meaning = ""]) =>
        el("span", {}, el("i", { class: `bar ${part}`, "aria-hidden": "true" }), meaning)
      ),
  );
  const result = el("p", { class: "result" });
  const element = el(
    "div",
    { class: "waterfall" },
    el("div", { class: "top" }, result, legend),
    el("div", { class: "chart" }, axis, settled, list),
  );
  return {
    element,
    update({ scope, watchers, tookMs }) {
      const bumpMs = timeMs(scope.changedAt);
      const isOpen = watchers.some(({ outdated }) => outdated);
      const acked = watchers.map(({ ackedAt }) => ackedAt === undefined ? 0 : timeMs(ackedAt));
      const longestMs = isOpen ? nowMs() - bumpMs : Math.max(tookMs ?? 0, ...acked) - bumpMs;
      const scale = new Scale(Math.max(longestMs, tookMs ?? 0));
      ticks.update(scale.ticks.map((ms) => ({ ms, scale })));
      settled.hidden = tookMs === undefined;
      settled.style.setProperty("--at", `${scale.at(tookMs ?? 0)}`);
      rows.update(watchers.map((watcher) => ({ watcher, scope, scale })));
      setText(
        result,
        tookMs === undefined
          ? `Generation ${scope.generation} has not settled.`
          : `Generation ${scope.generation} settled ${durationText(tookMs)} after its bump.`,
      );
    },
  };
}

/** @typedef {{ readonly ms: number, readonly scale: Scale }} TickData */

/** @returns {View<TickData>} */
function axisTick() {
  const element = el("span");
  return {
    element,
    update({ ms, scale }) {
      element.style.setProperty("--at", `${scale.at(ms)}`);
      setText(element, tickText(ms));
    },
  };
}

/** @returns {View<RowData>} */
function row() {
  const name = el("span", { class: "name" });
  const state = stateMark();
  const notified = el("i", { class: "bar told" });
  const rest = el("i", { class: "bar" });
  const said = el("span", { class: "said" });
  const element = el(
    "li",
    {},
    el("div", { class: "who" }, name, state.element),
    el("div", { class: "track", "aria-hidden": "true" }, notified, rest),
    said,
  );
  return {
    element,
    update({ watcher, scope, scale }) {
      setText(name, watcher.name);
      state.update(watcherState(scope, watcher));
      const { notifiedMs, ackedMs } = stepsOf(watcher, scope);
      const waitedMs = nowMs() - timeMs(scope.changedAt);
      const endMs = ackedMs ?? (watcher.outdated ? waitedMs : 0);
      place(notified, 0, scale.at(notifiedMs ?? endMs));
      place(rest, scale.at(notifiedMs ?? endMs), scale.at(endMs));
      notified.className = notifiedMs === undefined && watcher.outdated ? "bar open" : "bar told";
      rest.className = watcher.outdated ? "bar open" : "bar confirmed";
      setText(said, stepsText(watcher, notifiedMs, ackedMs));
    },
  };
}

/**
 * When a watcher was notified and when it confirmed, in milliseconds after the bump.
 *
 * @param {Watcher} watcher
 * @param {Scope} scope
 */
function stepsOf({ toldAt, ackedAt, outdated }, { changedAt }) {
  const bumpMs = timeMs(changedAt);
  const notifiedMs = toldAt === undefined ? undefined : timeMs(toldAt) - bumpMs;
  // One that joined after the bump is up to date, and its last ack is an older one.
  const ackedMs = outdated || ackedAt === undefined || timeMs(ackedAt) < bumpMs
    ? undefined
    : timeMs(ackedAt) - bumpMs;
  return { notifiedMs, ackedMs };
}

/**
 * @param {Watcher} watcher
 * @param {number | undefined} notifiedMs
 * @param {number | undefined} ackedMs
 */
function stepsText(watcher, notifiedMs, ackedMs) {
  const notified = notifiedMs === undefined ? "" : `told after ${durationText(notifiedMs)}`;
  if (ackedMs !== undefined) {
    return [notified, `confirmed after ${durationText(ackedMs)}`].filter((text) => text !== "")
      .join(", ");
  }
  if (!watcher.outdated) return "joined after this bump";
  const why = watcherWhy(watcher);
  return notified === "" || watcher.failed ? why : notified;
}

/**
 * @param {HTMLElement} bar
 * @param {number} from
 * @param {number} to
 */
function place(bar, from, to) {
  bar.style.setProperty("--from", String(from));
  bar.style.setProperty("--to", String(to));
}
