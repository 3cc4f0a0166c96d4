import { el, setText } from "./dom.js";

/**
 * The words of a curl line that asks the same as a panel does. The token stays in the reader's own
 * environment.
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
 * A word of a shell, whatever is in it.
 *
 * @param {string} text
 */
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A curl line that can be copied.
 *
 * @param {string} label What it gives
 */
export function curlLine(label) {
  const code = el("code");
  const said = el("span", { class: "said", role: "status" });
  const line = el("pre", { tabindex: "0", role: "group", "aria-label": `curl: ${label}` }, code);
  const copy = el("button", {
    type: "button",
    class: "quiet",
    "aria-label": `Copy the curl line: ${label}`,
    click: async () => {
      // Without a secure context there is no clipboard: then the line is selected.
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
