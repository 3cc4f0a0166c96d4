/**
 * `DIR/scopes`: a folder a scope, with the driver's file and what the scope shows as text.
 *
 * @module
 */
import { MOUNT_OPEN_LOOK_MS, MOUNT_OPEN_WAIT_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Caller, Target } from "../core/rights.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Scopes } from "../generations/scopes.ts";
import { O_ACCMODE, O_RDONLY } from "../native/constants.ts";
import { type Callers, processName } from "./callers.ts";
import { type ChangeNotes, OpenSysgenid } from "./files/sysgenid_file.ts";
import { textFile } from "./files/text_file.ts";
import { OpenVmclock } from "./files/vmclock_file.ts";
import type { MapPages } from "./map_pages.ts";
import type {
  MountedEntry,
  MountedFile,
  MountedFolder,
  OpenCall,
  OpenFile,
  Reopening,
} from "./node.ts";
import { type FileWatchers, sysgenidPath } from "./file_watchers.ts";
import { Refusal } from "./refusal.ts";

/** What the files of scopes need. */
interface ScopeFolderParts {
  readonly scopes: Scopes;
  readonly callers: Callers;
  readonly clock: Clock;
  readonly pages: MapPages;
  readonly watchers: FileWatchers;
  readonly changes: ChangeNotes;
}

const PAGE_FILES = ["sysgenid", "vmclock"] as const;
const TEXTS: Readonly<Record<string, (scope: LiveScope) => string>> = {
  generation: ({ state }) => `${state.generation}\n`,
  unique: ({ state }) => `${state.current.unique}\n`,
  epoch: ({ state }) => `${state.epoch}\n`,
  late: ({ state }) => [...state.late()].map(({ name }) => `${name}\n`).join(""),
};
const PAGE_SIZE = 4096;

/** The folder of all scopes. */
export function scopesFolder(parts: ScopeFolderParts): MountedFolder {
  const { scopes, callers } = parts;
  return {
    kind: "folder",
    path: "/scopes",
    timeNs: () => 0n,
    lookup(name, call) {
      if (!maySee(callers.known(call), name)) throw new Refusal("EACCES");
      return this.find(name);
    },
    find: (name) => scopes.has(name) ? scopeFolder(parts, name) : undefined,
    list(call) {
      const caller = callers.known(call);
      return scopes.list().filter(({ state }) => caller.may("read", onScope(state.name)))
        .map(({ state }) => ({ name: state.name, kind: "folder" }));
    },
  };
}

function scopeFolder(parts: ScopeFolderParts, scope: string): MountedFolder {
  const { scopes, callers } = parts;
  return {
    kind: "folder",
    path: `/scopes/${scope}`,
    timeNs: () => scopes.get(scope).state.current.atNs,
    lookup(name, call) {
      if (!maySee(callers.known(call), scope)) throw new Refusal("EACCES");
      return this.find(name);
    },
    find: (name) => scopes.has(scope) ? scopeFile(parts, scope, name) : undefined,
    list(call) {
      callers.require(call, "read", onScope(scope));
      return [...PAGE_FILES, ...Object.keys(TEXTS)].map((name) => ({ name, kind: "file" }));
    },
  };
}

function scopeFile(
  parts: ScopeFolderParts,
  scope: string,
  name: string,
): MountedEntry | undefined {
  const path = name === "sysgenid" ? sysgenidPath(scope) : `/scopes/${scope}/${name}`;
  const live = (): LiveScope => parts.scopes.get(scope);
  const timeNs = (): bigint => live().state.current.atNs;
  if (name === "sysgenid") return sysgenidFile(parts, { path, live, timeNs });
  if (name === "vmclock") return vmclockFile(parts, { path, live, timeNs });
  const text = Object.hasOwn(TEXTS, name) ? TEXTS[name] : undefined;
  if (text === undefined) return undefined;
  const allow = (call: Parameters<Callers["require"]>[0]): void =>
    void parts.callers.require(call, "read", onScope(scope));
  return textFile({ path, text: () => text(live()), timeNs, allow });
}

interface ScopeFile extends Pick<MountedFile, "path" | "timeNs"> {
  readonly live: () => LiveScope;
}

function onScope(name: string): Target {
  return { kind: "scopes", name };
}

/** Nobody learns the names of scopes on which they may do nothing. */
function maySee(caller: Caller, scope: string): boolean {
  return (["read", "watch", "bump"] as const).some((one) => caller.may(one, onScope(scope)));
}

function isWritable({ flags }: OpenCall): boolean {
  return (flags & O_ACCMODE) !== O_RDONLY;
}

function sysgenidFile(
  { callers, clock, pages, watchers, changes }: ScopeFolderParts,
  { path, live, timeNs }: ScopeFile,
): MountedFile {
  const open = async (call: OpenCall): Promise<OpenFile> => {
    const scope = live();
    const by = callers.require(call, "watch", onScope(scope.state.name));
    const { node, isFresh, wake, acked } = call;
    const opening = { node, scope: scope.state.name, isFresh, writable: isWritable(call) };
    const backing = await openBacking(pages, opening, clock);
    const onClose = (): void => backing === undefined ? undefined : pages.close(node);
    try {
      const process = callers.process(call);
      const watcher = await watchers.open(scope, processName(process), process, by);
      const ownPage = pages.ownPageOf(node);
      const shared = { callers, clock, changes, wake, acked, onClose };
      return new OpenSysgenid({ scope, watcher, backing, ownPage, ...shared });
    } catch (error) {
      onClose();
      throw error;
    }
  };
  const reopen = async ({ node, saved, wake, acked }: Reopening): Promise<OpenFile> => {
    const scope = live();
    const { backing, ownPage, watcher } = saved;
    if (watcher === undefined) throw new Refusal("ESTALE");
    if (backing !== undefined) {
      pages.restore({ node, scope: scope.state.name, id: backing, ownPage });
    }
    const onClose = (): void => backing === undefined ? undefined : pages.close(node);
    await watchers.reopen(scope, watcher);
    const shared = { callers, clock, changes, wake, acked, onClose };
    return new OpenSysgenid({ scope, watcher, backing, ownPage, ...shared });
  };
  const size = (): number => PAGE_SIZE;
  return { kind: "file", path, permissions: 0o666, ownNodes: true, timeNs, size, open, reopen };
}

/** Who only maps a page closes the file at once, so it is worth to wait for that. */
async function openBacking(
  pages: MapPages,
  opening: Parameters<MapPages["open"]>[0],
  clock: Clock,
): Promise<number | undefined> {
  const endMs = clock.monotonicMs() + MOUNT_OPEN_WAIT_MS;
  for (;;) {
    const backing = pages.open(opening);
    if (backing !== "busy") return backing;
    if (clock.monotonicMs() >= endMs) throw new Refusal("EBUSY");
    await new Promise<void>((resolve) => clock.after(MOUNT_OPEN_LOOK_MS, resolve));
  }
}

function vmclockFile(
  { callers, pages }: ScopeFolderParts,
  { path, live, timeNs }: ScopeFile,
): MountedFile {
  const open = (call: OpenCall): OpenFile => {
    const scope = live();
    callers.require(call, "read", onScope(scope.state.name));
    if (isWritable(call)) throw new Refusal("EACCES");
    return new OpenVmclock(scope, pages.vmclock(scope.state.name), call.wake);
  };
  const reopen = ({ saved, wake }: Reopening): OpenFile =>
    new OpenVmclock(live(), saved.backing, wake);
  const size = (): number => PAGE_SIZE;
  return { kind: "file", path, permissions: 0o444, timeNs, size, open, reopen };
}
