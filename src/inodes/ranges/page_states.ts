/**
 * The states of a cached page. A page that is `kept-dirty` stays dirty after its write-back: a
 * client may change it through a mapping.
 */
export const PAGE_STATES = ["clean", "dirty", "kept-dirty"] as const;
