/**
 * The WebSocket subprotocols, for both ends.
 *
 * @module
 */

/** JSON frames of watchers and guest channels. */
export const WATCH_PROTOCOL = "innkeeper.watch.v1";

/** 4-byte frames, which mirror the driver's read and write. */
export const SYSGENID_PROTOCOL = "innkeeper.sysgenid.v1";

/** A guest's console: binary frames of what goes over the line, both ways. */
export const CONSOLE_PROTOCOL = "innkeeper.console.v1";
