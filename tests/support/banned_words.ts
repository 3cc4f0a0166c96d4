/** Words inside a name that docs/GLOSSARY.md replaced, each with the word to use instead. */
const REPLACED: ReadonlyMap<string, string> = new Map([
  ["house", "daemon, or what it really is"],
  ["lodging", "scope reference"],
  ["lodgings", "scope references"],
  ["furnish", "mountRoutes"],
  ["welcome", "bumpForClone, matches"],
  ["accompany", "followScope"],
  ["figure", "metric"],
  ["figures", "metrics"],
  ["surroundings", "environment"],
  ["dirt", "dirty ranges"],
  ["twin", "envName"],
  ["ask", "request"],
  ["asked", "request"],
  ["told", "notified"],
  ["undoable", "writeAllOrUndo"],
  ["keep", "commit, pin, store, renew"],
  ["kept", "committed, pinned, stored"],
  ["reach", "visibility of files, connect for clients"],
]);

/** Names that are banned only as a whole: the word has a right meaning elsewhere. */
const REPLACED_WHOLE: ReadonlyMap<string, string> = new Map([
  ["words", "args"],
  ["Words", "Args"],
  ["scopes_of_token", "permissions"],
  ["NowReader", "NonblockingReader"],
  ["making", "create_guest"],
  ["receiving", "upload"],
]);

/** Other people's names, and members of JSON that clients rely on. */
const ALLOWED: ReadonlySet<string> = new Set([
  // gVisor's DirtySet and the kernel's fallocate say it so.
  ...["keepDirty", "keepClean", "FALLOC_FL_KEEP_SIZE"],
  ...["keepAlive", "keep_alive"],
  ...["toldAt"],
]);

/** The replaced word in an identifier or a file's name, if there is one. */
export function bannedWord(name: string): string | undefined {
  if (ALLOWED.has(name)) return undefined;
  if (REPLACED_WHOLE.has(name)) return name;
  const parts = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase().split(/[^a-z0-9]+/);
  return parts.find((part) => REPLACED.has(part));
}
