import { el, setAttribute, setText } from "./dom.js";
import { nowMs, roundText, timeMs } from "./time.js";

/** @type {Readonly<Record<string, (ms: number) => string>>} */
const PHRASES = {
  ago: (ms) => ms < 1000 ? "just now" : `${roundText(ms)} ago`,
  for: (ms) => roundText(ms),
  left: (ms) => roundText(-ms),
};

/**
 * A time that is shown relative to now and keeps up with it.
 *
 * @param {keyof typeof PHRASES} phrase
 */
export function ticking(phrase) {
  const element = el("time", { "data-phrase": String(phrase) });
  return {
    element,
    /** @param {string | undefined} at */
    update(at) {
      if (at === undefined) {
        element.removeAttribute("datetime");
        return setText(element, "");
      }
      setAttribute(element, "datetime", at);
      tick(element);
    },
  };
}

/** @param {Element} element */
function tick(element) {
  const at = element.getAttribute("datetime");
  const phrase = PHRASES[element.getAttribute("data-phrase") ?? ""];
  if (at === null || phrase === undefined) return;
  setText(element, phrase(nowMs() - timeMs(at)));
  setAttribute(element, "title", at);
}

/** Brings every relative time on the page up to now. */
export function tickAll() {
  for (const element of document.querySelectorAll("time[data-phrase][datetime]")) tick(element);
}
