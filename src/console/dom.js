/** @import { View } from "./views.ts" */

/**
 * Makes an element. Texts become text nodes, so nothing that a client has sent is ever markup.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string | boolean | ((event: Event) => void)>>} [attributes]
 *   A function listens to the event of that name
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "string") element.setAttribute(name, value);
    else element.toggleAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * A list of terms with their descriptions.
 *
 * @param {string} name Its class
 * @param {Readonly<Record<string, HTMLElement>>} pairs
 */
export function terms(name, pairs) {
  const items = Object.entries(pairs).map(([term, value]) =>
    el("div", {}, el("dt", {}, term), value)
  );
  return el("dl", { class: name }, ...items);
}

/**
 * Sets a text only where it differs, so that a selection or a screen reader is left in peace.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Sets an attribute only where it differs.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * The children of an element, one for each item. An item that stays keeps its child.
 *
 * @template Item
 */
export class Keyed {
  /** @type {Map<string, View<Item>>} */
  #views = new Map();

  /**
   * @param {Element} parent
   * @param {(item: Item) => string} keyOf
   * @param {(item: Item) => View<Item>} make
   */
  constructor(parent, keyOf, make) {
    this.parent = parent;
    this.keyOf = keyOf;
    this.make = make;
  }

  /** @param {readonly Item[]} items */
  update(items) {
    const keys = new Set(items.map(this.keyOf));
    for (const [key, { element }] of this.#views) {
      if (keys.has(key)) continue;
      element.remove();
      this.#views.delete(key);
    }
    for (const [index, item] of items.entries()) {
      const key = this.keyOf(item);
      const view = this.#views.get(key) ?? this.make(item);
      this.#views.set(key, view);
      view.update(item);
      // Moving an element takes the focus from it, so it is only moved when it must be.
      const there = this.parent.children[index];
      if (there !== view.element) this.parent.insertBefore(view.element, there ?? null);
    }
  }
}
