/** The version of images that this Innkeeper writes, and the only one that it reads. */
export const IMAGE_VERSION = 1;

/**
 * How an image is put in place: `match` into a registry of the same devices (gVisor's LoadFrom),
 * `load` into an empty one (Kata's LoadDevices).
 */
export const RESTORE_MODES = ["match", "load"] as const;

/** One of {@linkcode RESTORE_MODES}. */
export type RestoreMode = typeof RESTORE_MODES[number];
