import { el } from "./dom.js";

/**
 * The page that asks for the token.
 *
 * @param {string | undefined} refusal Why the daemon refused the last token
 * @param {(token: string) => void} onToken
 */
export function tokenPage(refusal, onToken) {
  const input = el("input", {
    type: "password",
    id: "token",
    required: true,
    autocomplete: "off",
    "aria-describedby": "token-hint",
  });
  return el(
    "form",
    {
      class: "token",
      submit: (event) => {
        event.preventDefault();
        onToken(input.value.trim());
      },
    },
    el("h1", {}, refusal === undefined ? "This console needs a token" : "The daemon refused"),
    ...(refusal === undefined ? [] : [el("p", { class: "refusal", role: "alert" }, refusal)]),
    el("label", { for: "token" }, "Token"),
    input,
    el(
      "p",
      { class: "hint", id: "token-hint" },
      "It is the first line of the token file; the daemon's first line of output names that file " +
        "as tokenFile. It stays in this tab and is forgotten with it.",
    ),
    el("button", { type: "submit", class: "primary" }, "Open the console"),
  );
}
