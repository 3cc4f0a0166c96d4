/** @import { Mark, State } from "./labels.js" */
import { el, setAttribute, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Each mark has a shape of its own, so that nobody needs to tell colours apart.
 *
 * @type {Readonly<Record<Mark, string>>}
 */
const PATHS = {
  ok: "M3 8.5l3.2 3.2L13 5",
  wait: "M8 4v4l2.6 1.8M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  bad: "M4 4l8 8M12 4l-8 8",
  held: "M2.5 8h3M7 8h2M10.5 8h3M5 4.5h6M5 11.5h6",
  lost: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0M3.8 12.2l8.4-8.4",
};

/** A state as a mark and a word. */
export function stateMark() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  svg.append(path);
  const word = el("span");
  const element = el("span", { class: "state" }, svg, word);
  return {
    element,
    /** @param {State} state */
    update(state) {
      setAttribute(element, "data-mark", state.mark);
      setAttribute(path, "d", PATHS[state.mark]);
      setText(word, state.word);
    },
  };
}
