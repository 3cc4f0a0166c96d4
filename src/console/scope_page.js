/** @import { Api } from "./api.js" */
/** @import { Live } from "./live.js" */
/** @import { List, Page, PastBump, Scope, Watcher } from "./types.ts" */
/** @import { Panel } from "./views.ts" */
import { scopePath } from "./actions.js";
import { Refused } from "./api.js";
import { el, setText } from "./dom.js";
import { Pace } from "./pace.js";
import { scopeHead } from "./scope_head.js";
import { barrierSection, pastSection, setupSection, stepsSection } from "./scope_sections.js";

const REST_MS = 250;
/** How many late watchers the page draws, and how many of the others. */
const WATCHERS_SHOWN = 50;
const ORDER = new Intl.Collator("en", { numeric: true });
/** How often the bars of late watchers grow, in milliseconds. */
const GROW_MS = 1000;

/**
 * The page of one scope, with everything that is known of it.
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
