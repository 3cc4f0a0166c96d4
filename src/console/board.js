/** @import { Api } from "./api.js" */
/** @import { Live } from "./live.js" */
/** @import { CardData } from "./scope_card.js" */
/** @import { List, Scope, Watcher } from "./types.ts" */
/** @import { Panel } from "./views.ts" */
import { scopePath } from "./actions.js";
import { allScopes } from "./all_scopes.js";
import { Cards } from "./cards.js";
import { curlLine, curlText } from "./curl.js";
import { el, setText } from "./dom.js";
import { Pace } from "./pace.js";
import { CARD_WATCHERS } from "./scope_card.js";

const UNSETTLED = "/v1/scopes?phase=settling,quiescing,quiesced&limit=25";
/** How long to rest between two looks, in milliseconds. */
const REST_MS = 300;

/**
 * The settling board: which watchers are late, in which scope, and since when.
 *
 * @param {Api} api
 * @param {Live} live
 * @param {(error: unknown) => void} onError
 * @returns {Panel}
 */
export function settlingBoard(api, live, onError) {
  const cards = new Cards(api);
  const summary = el("p", { class: "summary", role: "status" });
  const all = allScopes(api);
  const unsettledCurl = curlLine("scopes that are not settled", curlText(UNSETTLED));
  const title = el("div", { class: "title" }, el("h1", {}, "Settling board"), summary);
  const unsettled = el(
    "section",
    { class: "unsettled", "aria-labelledby": "unsettled" },
    el("h2", { id: "unsettled" }, "Not settled"),
    // Above the cards, so that a new card does not move it.
    unsettledCurl.element,
    cards.element,
  );
  const element = el("div", { class: "board" }, title, unsettled, all.element);

  /**
   * The scopes that have changed since the last look; `undefined` when any may have.
   *
   * @type {Set<string> | undefined}
   */
  let changed;
  /** @type {ReadonlyMap<string, CardData>} */
  let known = new Map();

  const look = async () => {
    const stale = changed;
    changed = new Set();
    try {
      /** @type {[List<Scope>, void]} */
      const [list] = await Promise.all([api.get(UNSETTLED), all.look()]);
      const data = await Promise.all(list.items.map((scope) => {
        const before = known.get(scope.name);
        const isStale = before === undefined || (stale?.has(scope.name) ?? true);
        return isStale ? withLate(api, scope) : { ...before, scope };
      }));
      known = new Map(data.map((card) => [card.scope.name, card]));
      await cards.show(data);
      live.watches.want(list.items.map(({ name }) => name));
      const count = `${list.items.length}${list.next === undefined ? "" : " or more"}`;
      const plural = list.items.length === 1 ? "scope is" : "scopes are";
      setText(summary, list.items.length === 0 ? "" : `${count} ${plural} not settled`);
    } catch (error) {
      changed = undefined;
      onError(error);
    }
  };
  const pace = new Pace(REST_MS, look);
  pace.request();
  return {
    element,
    title: "Settling board",
    changed(scope) {
      if (scope === undefined) changed = undefined;
      else changed?.add(scope);
      pace.request();
    },
    stop() {
      pace.stop();
      cards.stop();
      live.watches.want([]);
    },
  };
}

/**
 * @param {Api} api
 * @param {Scope} scope
 * @returns {Promise<CardData>}
 */
async function withLate(api, scope) {
  // During a quiesce often nobody is outdated. Then the card shows who has quiesced.
  const which = scope.outdated > 0 ? "tracked=true&outdated=true" : "tracked=true";
  const path = `${scopePath(scope.name)}/watchers?${which}&limit=${CARD_WATCHERS}`;
  /** @type {List<Watcher>} */
  const { items, next } = await api.get(path);
  return { scope, watchers: items, hasMore: next !== undefined };
}
