/** @import { Api } from "./api.js" */
/** @import { List, Scope } from "./types.ts" */
import { curlLine, curlText } from "./curl.js";
import { el, setText } from "./dom.js";
import { scopesTable } from "./scopes_table.js";

const PAGE_ITEMS = 50;
/** Names as the API takes them. */
const NAME_PATTERN = "[a-z0-9][a-z0-9._\\-]{0,63}";

/**
 * All scopes by name, a page at a time.
 *
 * @param {Api} api
 */
export function allScopes(api) {
  const table = scopesTable();
  const curl = curlLine("one page of all scopes");
  const back = el("button", { type: "button" }, "Previous");
  const on = el("button", { type: "button" }, "Next");
  const empty = el("p", { class: "hint" }, "Loading…");
  /** @type {string[]} */
  const cursors = [];
  /** @type {string | undefined} */
  let next;
  const look = async () => {
    const cursor = cursors.at(-1);
    const path = `/v1/scopes?limit=${PAGE_ITEMS}` +
      (cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`);
    /** @type {List<Scope>} */
    const list = await api.get(path);
    // The answer came too late: the reader has turned the page.
    if (cursor !== cursors.at(-1)) return;
    next = list.next;
    table.update(list.items);
    empty.hidden = list.items.length > 0;
    setText(empty, "No scopes on this page.");
    back.disabled = cursors.length === 0;
    on.disabled = next === undefined;
    curl.update(curlText(path));
  };
  back.addEventListener("click", () => {
    cursors.pop();
    void look();
  });
  on.addEventListener("click", () => {
    if (next !== undefined) cursors.push(next);
    void look();
  });
  const head = el("div", { class: "head" }, el("h2", { id: "all" }, "All scopes"), goForm());
  const pages = el("div", { class: "pages" }, back, on);
  const parts = [head, curl.element, table.element, empty, pages];
  const element = el("section", { class: "all", "aria-labelledby": "all" }, ...parts);
  return { element, look };
}

/** Goes to a scope by its name, whatever page it is on. */
function goForm() {
  const name = el("input", {
    type: "text",
    required: true,
    pattern: NAME_PATTERN,
    title: "a–z, 0–9, . _ -, beginning with a letter or digit",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "vm-7",
    "aria-label": "Name of a scope",
  });
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    location.hash = `#/scopes/${name.value}`;
  };
  return el("form", { class: "go", submit: go }, name, el("button", { type: "submit" }, "Show"));
}
