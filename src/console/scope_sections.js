/** @import { Page, PastBump, Scope, Watcher } from "./types.ts" */
import { curlLine, curlText } from "./curl.js";
import { el, setText, terms } from "./dom.js";
import { barrierLine, quiesceLine } from "./gate_line.js";
import { historyTable } from "./history_table.js";
import { waterfall } from "./waterfall.js";

/**
 * Whether the barrier is open, and how far a quiesce is.
 *
 * @param {string} path
 */
export function barrierSection(path) {
  const barrier = barrierLine();
  const quiesce = quiesceLine();
  const text = curlText(`${path}/barrier`, { flags: " -f" });
  const curl = curlLine("passes only an open barrier", text);
  const element = section("Safe to route?", barrier.element, quiesce.element, curl.element);
  return {
    element,
    /** @param {Scope} scope */
    update(scope) {
      barrier.update({ scope });
      quiesce.update(scope);
    },
  };
}

/**
 * The way of the last bump to each watcher.
 *
 * @param {string} path
 */
export function stepsSection(path) {
  const chart = waterfall();
  const empty = el(
    "p",
    { class: "hint" },
    "No tracked watchers. Untracked ones and programs that map the page are never waited for.",
  );
  const rest = el("p", { class: "hint" });
  const curl = curlLine("the tracked watchers", curlText(`${path}/watchers?tracked=true`));
  const element = section("From bump to settled", chart.element, empty, rest, curl.element);
  let grow = () => {};
  return {
    element,
    /**
     * @param {Scope} scope
     * @param {readonly Watcher[]} watchers
     * @param {PastBump | undefined} newest
     */
    update(scope, watchers, newest) {
      const isNewest = newest?.epoch === scope.epoch;
      const tookMs = isNewest && scope.outdated === 0 ? newest.tookMs : undefined;
      grow = () => chart.update({ scope, watchers, tookMs });
      grow();
      chart.element.hidden = watchers.length === 0;
      empty.hidden = watchers.length > 0;
      const others = scope.tracked - watchers.length;
      rest.hidden = others <= 0;
      setText(rest, `${others} more tracked watchers are not drawn; the curl line lists them all.`);
      if (scope.outdated === 0) grow = () => {};
    },
    grow: () => grow(),
  };
}

/**
 * The last bumps.
 *
 * @param {string} path
 */
export function pastSection(path) {
  const table = historyTable();
  const empty = el("p", { class: "hint" }, "No bump yet.");
  const curl = curlLine("the last bumps", curlText(`${path}/history`));
  const frame = el("div", { class: "scroll", tabindex: "0", role: "group" }, table.element);
  frame.setAttribute("aria-label", "History");
  const element = section("History", frame, empty, curl.element);
  return {
    element,
    /** @param {readonly PastBump[]} bumps */
    update(bumps) {
      table.update(bumps);
      frame.hidden = bumps.length === 0;
      empty.hidden = bumps.length > 0;
    },
  };
}

/**
 * The options of the scope, and where its page is.
 *
 * @param {string} path
 */
export function setupSection(path) {
  const options = el("dd");
  const file = el("dd", { class: "path" });
  const mount = el("dd", { class: "path" });
  const curl = curlLine("the scope with its options", curlText(path));
  const list = terms("setup", { Options: options, Page: file, "In a container": mount });
  const element = section("Set-up", list, curl.element);
  return {
    element,
    /**
     * @param {Scope} scope
     * @param {Page} page
     */
    update(scope, page) {
      const clauses = [
        scope.requireQuiesce ? "bumps need a quiesce" : "bumps need no quiesce",
        scope.trackOnOpen ? "every watcher is tracked" : "watchers ask to be tracked",
        scope.onDisconnect === "hold"
          ? "a watcher that is cut off is held"
          : "a watcher that is cut off is forgotten",
        scope.onLost === "block"
          ? "lost watchers keep the barrier shut"
          : "lost watchers let the barrier open",
      ];
      setText(options, `${clauses.join("; ")}.`);
      setText(file, page.path);
      setText(mount, page.bindMount);
    },
  };
}

let nextId = 1;

/**
 * @param {string} title
 * @param {...HTMLElement} children
 */
function section(title, ...children) {
  const id = `part-${nextId++}`;
  return el("section", { "aria-labelledby": id }, el("h2", { id }, title), ...children);
}
