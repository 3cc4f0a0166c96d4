/** Whose cache holds the pages of an inode: the host's, or Innkeeper's own. */
export const CACHE_MODES = ["host", "own"] as const;

/** One of {@linkcode CACHE_MODES}. */
export type CacheMode = typeof CACHE_MODES[number];
