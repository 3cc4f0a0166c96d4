/** @import { View } from "./views.ts" */

/**
 * Makes an element. Texts go in as text nodes, so nothing that a client has sent is ever markup.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string | boolean | ((event: Event) => void)>>} [attributes]
 *   Functions listen to the event of that name
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
 * Elements of one parent, one for each item, kept over updates by the items' keys.
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
      // Moving an element takes the focus from it, so those in their place are not touched.
      const there = this.parent.children[index];
      if (there !== view.element) this.parent.insertBefore(view.element, there ?? null);
    }
  }
}
