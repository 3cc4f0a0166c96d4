import { curlLine, curlText } from "./curl.js";
import { el, setText } from "./dom.js";

/**
 * The parts of a dialog, and what it does.
 *
 * @typedef {object} DialogParts
 * @property {string} title
 * @property {string} lead What will happen
 * @property {string} action The word on the button
 * @property {readonly HTMLElement[]} fields
 * @property {() => { path: string, json: unknown }} request As the fields stand now
 * @property {(request: { path: string, json: unknown }) => Promise<unknown>} send
 */

let nextId = 1;

/**
 * Opens a dialog that sends one request. When that is refused, it stays open and shows why.
 *
 * @param {DialogParts} parts
 */
export function openDialog({ title, lead, action, fields, request, send }) {
  const id = `dialog-${nextId++}`;
  const refusal = el("p", { class: "refusal", role: "alert" });
  const curl = curlLine(action);
  const submit = el("button", { type: "submit", class: "primary" }, action);
  const showCurl = () => {
    const { path, json } = request();
    curl.update(curlText(path, { json }));
  };
  const form = el(
    "form",
    {
      method: "dialog",
      input: showCurl,
      submit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        setText(refusal, "");
        try {
          await send(request());
          dialog.close();
        } catch (error) {
          setText(refusal, error instanceof Error ? error.message : String(error));
        } finally {
          submit.disabled = false;
        }
      },
    },
    el("h2", { id }, title),
    el("p", { class: "lead" }, lead),
    ...fields,
    curl.element,
    refusal,
    el(
      "div",
      { class: "buttons" },
      el("button", { type: "button", click: () => dialog.close() }, "Cancel"),
      submit,
    ),
  );
  const dialog = el("dialog", { "aria-labelledby": id, close: () => dialog.remove() }, form);
  document.body.append(dialog);
  showCurl();
  dialog.showModal();
}

/**
 * A field with its label.
 *
 * @param {string} label
 * @param {HTMLInputElement} input
 * @param {string} [hint]
 */
export function field(label, input, hint) {
  const id = `field-${nextId++}`;
  input.id = id;
  const isBox = input.type === "checkbox";
  const labelled = el("label", { for: id }, label);
  const element = el("div", { class: isBox ? "field box" : "field" });
  element.append(...(isBox ? [input, labelled] : [labelled, input]));
  if (hint !== undefined) {
    input.setAttribute("aria-describedby", `${id}-hint`);
    element.append(el("p", { class: "hint", id: `${id}-hint` }, hint));
  }
  return element;
}
