/** @import { Scope, Watcher } from "./types.ts" */

/**
 * A state in words, and the mark that goes with the word.
 *
 * @typedef {"ok" | "wait" | "pause" | "bad" | "held" | "lost"} Mark
 * @typedef {{ readonly mark: Mark, readonly word: string }} State
 * @typedef {State & { readonly detail: string }} Detailed
 */

/** @type {Readonly<Record<Scope["phase"], State>>} */
const PHASES = {
  running: { mark: "ok", word: "Settled" },
  settling: { mark: "wait", word: "Settling" },
  quiescing: { mark: "pause", word: "Quiescing" },
  quiesced: { mark: "pause", word: "Quiesced" },
};

/**
 * @param {Scope} scope
 * @returns {State}
 */
export function phaseState({ phase }) {
  return PHASES[phase];
}

/**
 * The phase, or the reason why it cannot end by itself.
 *
 * @param {Scope} scope
 * @returns {State}
 */
export function scopeState(scope) {
  const { phase, failed, lost, outdated } = scope;
  if (phase === "settling" && failed > 0) return { mark: "bad", word: `${failed} failed` };
  if (phase === "settling" && lost === outdated) return { mark: "lost", word: `${lost} lost` };
  return PHASES[phase];
}

/**
 * @param {Scope} scope
 * @param {Watcher} watcher
 * @returns {State}
 */
export function watcherState(scope, watcher) {
  if (watcher.failed) return { mark: "bad", word: "Failed" };
  if (watcher.presence === "lost") return { mark: "lost", word: "Lost" };
  if (watcher.presence === "held") return { mark: "held", word: "Held" };
  if (watcher.presence === "superseded") return { mark: "held", word: "Superseded" };
  if (watcher.outdated) return { mark: "wait", word: "Late" };
  if (scope.quiesce === undefined) return { mark: "ok", word: "Confirmed" };
  if (watcher.cannotQuiesce !== undefined) return { mark: "bad", word: "Cannot stand still" };
  return watcher.quiesced
    ? { mark: "pause", word: "Stands still" }
    : { mark: "wait", word: "Still runs" };
}

/**
 * Why a watcher is in its state; in its own words if it gave a reason.
 *
 * @param {Watcher} watcher
 */
export function watcherWhy(watcher) {
  if (watcher.failed) return watcher.failure ?? "";
  if (watcher.presence === "lost") return "cut off, lease ran out";
  if (watcher.presence === "held") return "cut off, lease runs";
  if (watcher.presence === "superseded") return "another came with its token, and it may live";
  if (watcher.cannotQuiesce !== undefined) return watcher.cannotQuiesce;
  if (!watcher.outdated) return "";
  return watcher.toldAt === undefined ? "not told yet" : "told, no answer";
}

/**
 * Whether the barrier is open, and if not, why.
 *
 * @param {Scope} scope
 * @returns {Detailed}
 */
export function barrierState(scope) {
  const { outdated, tracked, failed, lost, onLost } = scope;
  if (outdated === 0) {
    const detail = tracked === 0
      ? "No tracked watchers, so nobody is waited for."
      : `${allOf(tracked)} confirmed generation ${scope.generation}.`;
    return { mark: "ok", word: "Open", detail };
  }
  const waits = `Waits for ${outdated} of ${tracked} watchers`;
  if (failed > 0) {
    return { mark: "bad", word: "Shut", detail: `${waits}; ${failed} could not adapt.` };
  }
  if (lost < outdated) return { mark: "wait", word: "Shut", detail: `${waits}.` };
  return onLost === "open"
    ? { mark: "lost", word: "Open", detail: `${outdated} of ${tracked} watchers are lost.` }
    : { mark: "lost", word: "Shut", detail: `Only lost watchers are left, ${lost} of ${tracked}.` };
}

/**
 * How far the current quiesce is.
 *
 * @param {Scope} scope
 * @returns {Detailed}
 */
export function quiesceState({ quiesce, tracked }) {
  const waiting = quiesce?.waiting ?? 0;
  if (waiting > 0) {
    const detail = `${tracked - waiting} of ${tracked} watchers stand still.`;
    return { mark: "wait", word: "Waits", detail };
  }
  const all = tracked === 0 ? "Nobody has to stand still" : `${allOf(tracked)} stands still`;
  return { mark: "pause", word: "Reached", detail: `${all}: safe to bump.` };
}

/** @param {number} tracked */
function allOf(tracked) {
  return tracked === 1 ? "The only watcher" : `Each of ${tracked} watchers`;
}
