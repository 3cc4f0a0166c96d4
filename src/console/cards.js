/** @import { Api } from "./api.js" */
/** @import { CardData, CardRow, ShownCard } from "./scope_card.js" */
/** @import { PastBump, Scope } from "./types.ts" */
import { scopePath } from "./actions.js";
import { el, Keyed } from "./dom.js";
import { CARD_WATCHERS, scopeCard } from "./scope_card.js";

/** A settled card stays this long, so that people can read how it ended. */
const LINGER_MS = 8_000;
/** How many settled cards stay while somebody points at the cards. */
const SETTLED_MAX = 25;

/**
 * The cards of scopes that are not settled. New ones come last. Settled ones stay for a while, and
 * for as long as somebody points at the cards or works in them, so that nothing moves under a hand.
 */
export class Cards {
  /** @type {Map<string, ShownCard>} */
  #shown = new Map();
  #keyed;
  #timer = setInterval(() => this.#dropSettled(), 1000);

  /** @param {Api} api */
  constructor(api) {
    this.api = api;
    this.list = el("div", { class: "cards" });
    this.empty = emptyCards();
    this.loading = el("p", { class: "hint" }, "Loading…");
    this.element = el("div", { class: "cards-frame" }, this.loading, this.list);
    this.#keyed = new Keyed(
      this.list,
      /** @param {ShownCard} card */ ({ scope }) => scope.name,
      () => scopeCard(api),
    );
  }

  /** @param {readonly CardData[]} cards Of all scopes that are not settled */
  async show(cards) {
    const unsettled = new Set(cards.map(({ scope }) => scope.name));
    const inOrder = cards.toSorted((a, b) => a.scope.changedAt < b.scope.changedAt ? -1 : 1);
    for (const card of inOrder) {
      const { name } = card.scope;
      this.#shown.set(name, { ...card, rows: rowsOf(this.#shown.get(name), card) });
    }
    const ended = [...this.#shown.values()].filter(({ scope }) => !unsettled.has(scope.name));
    await Promise.all(ended.map((card) => this.#end(card)));
    this.#render();
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** @param {ShownCard} card */
  async #end(card) {
    if (card.settledAtMs !== undefined) return;
    const path = scopePath(card.scope.name);
    try {
      const [scope, history] = await Promise.all([
        /** @type {Promise<Scope>} */ (this.api.get(path)),
        /** @type {Promise<{ items: PastBump[] }>} */ (this.api.get(`${path}/history`)),
      ]);
      // It is still unsettled, and only left the first page of those.
      if (scope.phase !== "running") return void this.#shown.delete(scope.name);
      const [newest] = history.items;
      this.#shown.set(scope.name, {
        scope,
        watchers: [],
        rows: card.rows.map(({ watcher }) => ({ watcher, isCleared: true })),
        hasMore: false,
        settledAtMs: Date.now(),
        ...(newest?.tookMs === undefined ? {} : { tookMs: newest.tookMs }),
      });
    } catch {
      // It was deleted meanwhile, or the connection is lost, which the page shows elsewhere.
      this.#shown.delete(card.scope.name);
    }
  }

  #dropSettled() {
    const isInUse = this.element.matches(":hover, :focus-within");
    const settled = [...this.#shown.values()].filter(({ settledAtMs }) => settledAtMs !== undefined)
      .sort((a, b) => Number(a.settledAtMs) - Number(b.settledAtMs));
    for (const [index, { scope, settledAtMs = 0 }] of settled.entries()) {
      const isOver = !isInUse && Date.now() - settledAtMs > LINGER_MS;
      if (isOver || index < settled.length - SETTLED_MAX) this.#shown.delete(scope.name);
    }
    this.#render();
  }

  #render() {
    this.loading.remove();
    this.#keyed.update([...this.#shown.values()]);
    if (this.#shown.size > 0) this.empty.remove();
    else if (!this.empty.isConnected) this.element.append(this.empty);
  }
}

/**
 * The rows of a card. Watchers that it has named keep their places when they are no longer late, so
 * that nothing jumps when somebody confirms.
 *
 * @param {ShownCard | undefined} before
 * @param {CardData} card
 * @returns {readonly CardRow[]}
 */
function rowsOf(before, { scope, watchers }) {
  const old = before?.scope.epoch === scope.epoch ? before.rows : [];
  const late = new Map(watchers.map((watcher) => [watcher.watcher, watcher]));
  const known = old.map(({ watcher: { watcher: id }, watcher }) => {
    const now = late.get(id);
    late.delete(id);
    return now === undefined ? { watcher, isCleared: true } : { watcher: now, isCleared: false };
  });
  const rows = [...known, ...late.values().map((watcher) => ({ watcher, isCleared: false }))];
  let spare = rows.length - CARD_WATCHERS;
  return rows.filter(({ isCleared }) => !isCleared || spare-- <= 0);
}

function emptyCards() {
  const hint = "A scope is listed here from its bump until every tracked watcher has confirmed. " +
    "Let a program watch:";
  const watch = "deno task innkeeper watch vm-7 --name app --exec ./reseed.sh";
  return el(
    "div",
    { class: "empty" },
    el("p", {}, el("b", {}, "Every scope is settled.")),
    el("p", {}, hint),
    el("pre", { tabindex: "0" }, watch),
  );
}
