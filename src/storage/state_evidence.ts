import { StateFolderError } from "../core/state_folder_error.ts";

/** The folders of a daemon. */
interface StateFolders {
  readonly state: string;
  readonly run: string;
  /** Go on with a new ledger where one was lost. */
  readonly acceptLoss: boolean;
}

/**
 * Finds out whether a ledger was lost: there is none, and beside it is what only a ledger can have
 * caused. A new one would hand out numbers a second time.
 *
 * @returns What was lost, where that is accepted
 * @throws {StateFolderError} when it is not
 */
export function lossOfLedger({ state, run, acceptLoss }: StateFolders): string | undefined {
  const path = `${state}/ledger.sqlite`;
  if (isThere(path)) return undefined;
  const evidence = [
    { count: countIn(`${state}/snapshots`, ".snapshot"), what: "snapshots" },
    { count: countIn(`${state}/journal`, ".journal"), what: "journals" },
    { count: publishedIn(`${run}/pages`), what: "published pages" },
  ].filter(({ count }) => count > 0).map(({ count, what }) => `${count} ${what}`).join(", ");
  if (evidence === "") return undefined;
  const loss = `${path} is missing, and ${evidence} are there that it knew of`;
  if (acceptLoss) return loss;
  throw new StateFolderError(
    `Cannot start: ${loss}; restore it from a backup, or give --accept-loss to begin a new one`,
    true,
  );
}

/** How many scopes have a page. What is no file in its place was not published by a daemon. */
function publishedIn(folder: string): number {
  return namesIn(folder).filter((name) => isFile(`${folder}/${name}/sysgenid`)).length;
}

function countIn(folder: string, suffix: string): number {
  return namesIn(folder).filter((name) => name.endsWith(suffix)).length;
}

function namesIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}

/** Whether there is a file or folder of this name. */
function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Watches a file that is open: somebody may remove it, or put another one in its place, and what is
 * written would be lost with this process.
 *
 * @returns Says what has become of the file; nothing while all is well
 */
export function watchFile(path: string): () => string | undefined {
  const first = Deno.lstatSync(path);
  return () => {
    try {
      const { dev, ino } = Deno.lstatSync(path);
      if (dev === first.dev && ino === first.ino) return undefined;
      return `another file is in the place of ${path}`;
    } catch (error) {
      return `${path} cannot be found any more: ${(error as Error).message}`;
    }
  };
}
