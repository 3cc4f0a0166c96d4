/** @import { Api } from "./api.js" */
/** @import { Live } from "./live.js" */
/** @import { List, Page, PastBump, Scope, Watcher } from "./types.ts" */
/** @import { Panel } from "./views.ts" */
import { scopeButtons, scopePath } from "./actions.js";
import { Refused } from "./api.js";
import { curlLine, curlText } from "./curl.js";
import { el, setText } from "./dom.js";
import { barrierLine, quiesceLine } from "./gate_line.js";
import { historyTable } from "./history_table.js";
import { stateMark } from "./marks.js";
import { Pace } from "./pace.js";
import { ticking } from "./ticking.js";
import { waterfall } from "./waterfall.js";
import { phaseState } from "./labels.js";

const REST_MS = 250;
/** How many late watchers the page draws, and how many of the others. */
const WATCHERS_SHOWN = 50;
const ORDER = new Intl.Collator("en", { numeric: true });
/** How often the bars of late watchers grow, in milliseconds. */
const GROW_MS = 1000;

/**
 * Everything of one scope.
 *
 * @param {Api} api
 * @param {Live} live
 * @param {(error: unknown) => void} onError
 * @param {string} name
 * @returns {Panel}
 */
export function scopePage(api, live, onError, name) {
  const path = scopePath(name);
  const head = scopeHead(api, name);
  const barrier = barrierSection(path);
  const steps = stepsSection(path);
  const past = pastSection(path);
  const setup = setupSection(path);
  const parts = [barrier, steps, past, setup].map((part) => part.element);
  const body = el("div", { class: "parts" }, ...parts);
  const note = el("p", { class: "hint", role: "status" }, "Loading…");
  const element = el("div", { class: "scope" }, head.element, note, body);
  body.hidden = true;

  const look = async () => {
    try {
      /** @type {[Scope, List<Watcher>, List<Watcher>, { items: PastBump[] }, Page]} */
      const [scope, late, done, history, page] = await Promise.all([
        api.get(path),
        api.get(`${path}/watchers?tracked=true&outdated=true&limit=${WATCHERS_SHOWN}`),
        api.get(`${path}/watchers?tracked=true&outdated=false&limit=${WATCHERS_SHOWN}`),
        api.get(`${path}/history`),
        api.send("GET", `${path}/page`, { headers: { accept: "application/json" } })
          .then((response) => response.json()),
      ]);
      note.hidden = true;
      body.hidden = false;
      head.update(scope);
      barrier.update(scope);
      // By name, so that a watcher keeps its place when it confirms.
      const watchers = [...late.items, ...done.items].sort((a, b) => ORDER.compare(a.name, b.name));
      steps.update(scope, watchers, history.items[0]);
      past.update(history.items);
      setup.update(scope, page);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) return onError(error);
      body.hidden = true;
      head.forget();
      note.hidden = false;
      setText(note, error.message);
    }
  };
  const pace = new Pace(REST_MS, look);
  const growing = setInterval(() => steps.grow(), GROW_MS);
  live.watches.want([name]);
  pace.request();
  return {
    element,
    title: name,
    changed(scope) {
      if (scope === undefined || scope === name) pace.request();
    },
    stop() {
      pace.stop();
      clearInterval(growing);
      live.watches.want([]);
    },
  };
}

/**
 * @param {Api} api
 * @param {string} name
 */
function scopeHead(api, name) {
  const phase = stateMark();
  const buttons = scopeButtons(api);
  const generation = el("dd", { class: "figure" });
  const epoch = el("dd");
  const watchers = el("dd");
  const bumped = ticking("ago");
  const reason = el("q");
  const facts = terms("facts", {
    Generation: generation,
    Epoch: epoch,
    Watchers: watchers,
    // Last, since its length changes by itself.
    Bumped: el("dd", {}, reason, " · ", bumped.element),
  });
  const known = [phase.element, buttons.element, facts];
  const forget = () => known.forEach((part) => part.hidden = true);
  forget();
  const back = el("a", { href: "#/", class: "back" }, "← Settling board");
  const title = el("div", { class: "title" }, el("h1", { class: "name" }, name), phase.element);
  const element = el("header", { class: "scope-head" }, back, title, buttons.element, facts);
  return {
    element,
    forget,
    /** @param {Scope} scope */
    update(scope) {
      known.forEach((part) => part.hidden = false);
      phase.update(phaseState(scope));
      buttons.update(scope);
      setText(generation, String(scope.generation));
      setText(epoch, scope.epoch);
      bumped.update(scope.changedAt);
      setText(reason, scope.reason);
      const others = scope.watchers - scope.tracked;
      const untracked = others === 0 ? "" : `, ${others} not waited for`;
      setText(watchers, `${scope.tracked} tracked${untracked}`);
    },
  };
}

/** @param {string} path */
function barrierSection(path) {
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

/** @param {string} path */
function stepsSection(path) {
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

/** @param {string} path */
function pastSection(path) {
  const table = historyTable();
  const empty = el("p", { class: "hint" }, "No bump since the daemon's start.");
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

/** @param {string} path */
function setupSection(path) {
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

/**
 * A list of terms with their descriptions.
 *
 * @param {string} name Its class
 * @param {Readonly<Record<string, HTMLElement>>} pairs
 */
function terms(name, pairs) {
  const items = Object.entries(pairs).map(([term, value]) =>
    el("div", {}, el("dt", {}, term), value)
  );
  return el("dl", { class: name }, ...items);
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
