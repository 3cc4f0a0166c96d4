/** @import { Api } from "./api.js" */
/** @import { Scope } from "./types.ts" */
import { scopeButtons } from "./actions.js";
import { el, setText, terms } from "./dom.js";
import { phaseState } from "./labels.js";
import { stateMark } from "./marks.js";
import { ticking } from "./ticking.js";

/**
 * The head of a scope's page: its phase, its buttons and its numbers.
 *
 * @param {Api} api
 * @param {string} name
 */
export function scopeHead(api, name) {
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
