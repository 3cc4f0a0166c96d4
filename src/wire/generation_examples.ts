/**
 * Examples of scopes and watchers in the documents of the API.
 *
 * @module
 */

/** A scope that waits for one of its watchers. */
export const SCOPE_EXAMPLE = {
  name: "vm-7",
  generation: 7,
  epoch: "7",
  unique: "6f1d3c5e8a9b4c2d8e7f60718293a4b5",
  phase: "settling",
  reason: "restored from snapshot 12",
  changedAt: "2026-11-20T12:00:00.000000001Z",
  watchers: 3,
  tracked: 2,
  outdated: 1,
  failed: 0,
  held: 0,
  lost: 0,
  settledGeneration: 6,
  page: "/run/innkeeper/pages/vm-7/sysgenid",
  requireQuiesce: false,
  trackOnOpen: false,
  onDisconnect: "hold",
  onLost: "block",
  expect: ["app"],
  atLeast: 0,
  forgetLostMs: 0,
  confirmed: 1,
  unmet: ["app"],
};

/** A watcher that has not confirmed yet. */
export const WATCHER_EXAMPLE = {
  watcher: "app-1",
  name: "app",
  tracked: true,
  presence: "connected",
  presenceSince: "2026-11-20T11:00:00.000000001Z",
  leaseMs: 60_000,
  outdated: true,
  outdatedSince: "2026-11-20T12:00:00.000000001Z",
  toldAt: "2026-11-20T12:00:00.250000001Z",
  quiesced: false,
  failed: false,
  ackedGeneration: 6,
  ackedAt: "2026-11-20T11:30:00.000000001Z",
};

/** The evidence of an open barrier. */
export const BARRIER_OPEN_EXAMPLE = {
  generation: 7,
  epoch: "7",
  confirmed: [{ watcher: "app-1", name: "app", at: "2026-11-20T12:00:00.250000001Z" }],
  confirmedCount: 1,
  lost: [],
  left: [],
  dead: [],
  superseded: [],
  forgotten: [],
  expect: ["app"],
  atLeast: 1,
};

/** The last bump of a scope. */
export const HISTORY_EXAMPLE = {
  items: [{
    generation: 7,
    epoch: "7",
    unique: "6f1d3c5e8a9b4c2d8e7f60718293a4b5",
    outdated: 2,
    reason: "restored from snapshot 12",
    by: "hypervisor",
    at: "2026-11-20T12:00:00.000000001Z",
    tookMs: 41.5,
  }],
};

/** Where the pages of a scope are. */
export const PAGE_EXAMPLE = {
  path: "/run/innkeeper/pages/vm-7/sysgenid",
  vmclockPath: "/run/innkeeper/pages/vm-7/vmclock",
  sizeBytes: 4096,
  layout: "sysgenid",
  reach: "all",
  bindMount:
    "--mount type=bind,source=/run/innkeeper/pages/vm-7/sysgenid,target=/dev/sysgenid,readonly",
};
