import { el, setText } from "./dom.js";

/**
 * The curl line for the request that a panel makes. The token stays in the reader's environment.
 *
 * @param {string} path
 * @param {{ json?: unknown, flags?: string }} [more]
 */
export function curlText(path, { json, flags = "" } = {}) {
  return [
    `curl -sS${flags} ${quoted(`${location.origin}${path}`)}`,
    ...(json === undefined ? [] : [`--json ${quoted(JSON.stringify(json))}`]),
    `-H "Authorization: Bearer $INNKEEPER_TOKEN"`,
  ].join(" ");
}

/**
 * Quotes a text for a shell, whatever is in it.
 *
 * @param {string} text
 */
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A curl line that can be copied.
 *
 * @param {string} label What it answers
 * @param {string} [text]
 */
export function curlLine(label, text = "") {
  const code = el("code", {}, text);
  const said = el("span", { class: "said", role: "status" });
  const line = el("pre", { tabindex: "0", role: "group", "aria-label": `curl: ${label}` }, code);
  const copy = el("button", {
    type: "button",
    class: "quiet",
    "aria-label": `Copy the curl line: ${label}`,
    click: async () => {
      // There is no clipboard outside of a secure context. Then the line is selected instead.
      const isCopied = await navigator.clipboard?.writeText(code.textContent ?? "")
        .then(() => true, () => false);
      if (!isCopied) getSelection()?.selectAllChildren(code);
      setText(said, isCopied ? "Copied" : "Selected");
      setTimeout(() => setText(said, ""), 2000);
    },
  }, "Copy");
  const element = el("div", { class: "curl" }, line, said, copy);
  return {
    element,
    /** @param {string} text */
    update: (text) => setText(code, text),
  };
}
