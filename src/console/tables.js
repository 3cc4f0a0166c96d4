/** @import { View } from "./views.ts" */
import { el, Keyed } from "./dom.js";

/**
 * A table with a row for each item. An item that stays keeps its row.
 *
 * @template Item
 * @param {object} parts
 * @param {string} parts.name Its class
 * @param {string} parts.caption What it shows, for those who do not see it
 * @param {readonly string[]} parts.head
 * @param {(item: Item) => string} parts.keyOf
 * @param {() => View<Item>} parts.makeRow
 * @returns {View<readonly Item[]>}
 */
export function keyedTable({ name, caption, head, keyOf, makeRow }) {
  const body = el("tbody");
  const rows = new Keyed(body, keyOf, makeRow);
  const titles = head.map((title) => el("th", { scope: "col" }, title));
  const element = el(
    "table",
    { class: name },
    el("caption", { class: "sr" }, caption),
    el("thead", {}, el("tr", {}, ...titles)),
    body,
  );
  return { element, update: (items) => rows.update(items) };
}
