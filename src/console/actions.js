/** @import { Api } from "./api.js" */
/** @import { Scope } from "./types.ts" */
import { newKey } from "./api.js";
import { field, openDialog } from "./dialog.js";
import { el } from "./dom.js";

const REASON_CHARS_MAX = "256";
const QUIESCE_SECONDS_DEFAULT = 30;
const QUIESCE_SECONDS_MAX = 600;

/** @param {string} name */
export function scopePath(name) {
  return `/v1/scopes/${encodeURIComponent(name)}`;
}

/** @param {string} value */
function reasonInput(value) {
  return el("input", {
    type: "text",
    required: true,
    maxlength: REASON_CHARS_MAX,
    autocomplete: "off",
    value,
  });
}

/**
 * Opens a dialog for a reason, and bumps.
 *
 * @param {Api} api
 * @param {Scope} scope
 */
function openBump(api, scope) {
  const reason = reasonInput("restore");
  const force = el("input", { type: "checkbox" });
  const mayForce = scope.requireQuiesce && scope.phase !== "quiesced";
  // One key a dialog, so that a second try after a lost answer does not bump twice.
  const headers = { "idempotency-key": newKey() };
  openDialog({
    title: `Bump ${scope.name}`,
    lead: `Every watcher is told of generation ${scope.generation + 1} or a later one. ` +
      "The barrier is shut until each tracked one has confirmed it.",
    action: "Bump",
    fields: [
      field("Reason", reason, "Watchers and the history are told it."),
      ...(mayForce
        ? [field(
          "Bump although it is not quiesced",
          force,
          "A program inside a random draw of AWS-LC is aborted by this. Needs admin.",
        )]
        : []),
    ],
    request: () => ({
      path: `${scopePath(scope.name)}/bumps`,
      json: { reason: reason.value, ...(force.checked ? { force: true } : {}) },
    }),
    send: ({ path, json }) => api.send("POST", path, { body: json, headers }),
  });
}

/**
 * Opens a dialog for a reason and a time, and begins a quiesce.
 *
 * @param {Api} api
 * @param {Scope} scope
 */
function openQuiesce(api, scope) {
  const reason = reasonInput("snapshot");
  const seconds = el("input", {
    type: "number",
    required: true,
    min: "1",
    max: String(QUIESCE_SECONDS_MAX),
    value: String(QUIESCE_SECONDS_DEFAULT),
  });
  openDialog({
    title: `Quiesce ${scope.name}`,
    lead: "Watchers are asked to stand still, so that a bump changes nothing under their hands.",
    action: "Quiesce",
    fields: [
      field("Reason", reason),
      field("Seconds", seconds, "If nobody bumps until then, the watchers go on."),
    ],
    request: () => ({
      path: `${scopePath(scope.name)}/quiesce`,
      json: { reason: reason.value, maxMs: Number(seconds.value) * 1000 },
    }),
    send: ({ path, json }) => api.send("POST", path, { body: json }),
  });
}

/**
 * The buttons of a scope. They keep their places in every phase.
 *
 * @param {Api} api
 */
export function scopeButtons(api) {
  /** @type {Scope | undefined} */
  let scope;
  const bump = el("button", {
    type: "button",
    class: "primary",
    click: () => scope !== undefined && openBump(api, scope),
  }, "Bump…");
  const quiesce = el("button", { type: "button", click: () => void press() });
  const said = el("span", { class: "said", role: "alert" });
  const press = async () => {
    if (scope === undefined) return;
    if (scope.quiesce === undefined) return openQuiesce(api, scope);
    said.textContent = await api.send("DELETE", `${scopePath(scope.name)}/quiesce`)
      .then(() => "", (error) => error.message);
  };
  const element = el("div", { class: "actions" }, said, quiesce, bump);
  return {
    element,
    /** @param {Scope} next */
    update(next) {
      scope = next;
      const word = next.quiesce === undefined ? "Quiesce…" : "Let go on";
      if (quiesce.textContent !== word) quiesce.textContent = word;
      bump.setAttribute("aria-label", `Bump ${next.name}`);
      quiesce.setAttribute("aria-label", `${word.replace("…", "")} ${next.name}`);
    },
  };
}
