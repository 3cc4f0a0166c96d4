import type { ExitName } from "../../src/cli/exit.ts";

/**
 * How a command is tried. Words in braces stand for what the world and earlier commands have:
 * `{inode}` of the world; `{owner}` and `{snapshot}` of what was printed before.
 */
export interface CommandCase {
  /** What stands behind the command's name when it is used rightly. */
  readonly args: string;
  /** How it ends then; `done` when it is left out. */
  readonly ends?: ExitName;
  /** How it may end as well, because that depends on the machine. */
  readonly orEnds?: ExitName;
  /** It runs until a signal comes; this is done when it has begun, so that it prints a line. */
  readonly bump?: true;
  /** Members of its JSON that later commands need, with what they are called then. */
  readonly gives?: Readonly<Record<string, string>>;
  /** Other uses, with how each ends. */
  readonly others?: Readonly<Record<string, ExitName>>;
}

const OWNED = "--owner {owner}";

/** Every command, in an order in which each finds what it needs. */
export const COMMAND_CASES: Readonly<Record<string, CommandCase>> = {
  serve: {
    args: "--state {folder}/s --run {folder}/r --listen 127.0.0.1:0",
    bump: true,
    others: {
      "--state {folder}/state --run {folder}/run": "folder",
      "--state {folder}/t --run {folder}/q --listen unix:{socket}": "listen",
      "--root bad": "usage",
      "--host-root /no/such/folder --state {folder}/t --run {folder}/q": "usage",
      "--state /dev/null/s --run {folder}/q": "usage",
      "--ledger etcd:": "usage",
    },
  },
  doctor: { args: "", orEnds: "refused" },
  "mount status": { args: "" },
  completion: { args: "bash", others: { tcsh: "usage" } },
  scopes: { args: "" },
  watch: {
    args: "seen --name log",
    bump: true,
    others: {
      "seen --name log --exec true --json": "usage",
      "seen --name log --exec true --retry 1000": "usage",
      "seen --name log --exec true --if-missing never": "usage",
      "nowhere --name log --if-missing fail": "notFound",
    },
  },
  bump: {
    args: "vm-7 --reason restore",
    others: {
      "nowhere --reason x": "notFound",
      "vm-7 --reason x --minimum 99999999999": "usage",
      "vm-7 --reason x --minimum one": "usage",
      "still --reason x": "refused",
    },
  },
  wait: {
    args: "system --timeout 0 --at-least 0",
    others: {
      "vm-7 --timeout 0": "late",
      "failing --timeout 0": "failed",
      "system --timeout 0": "unwatched",
      "system --timeout 0 --at-least 0 --generation 7": "refused",
      "nowhere --timeout 0": "notFound",
    },
  },
  watchers: { args: "vm-7", others: { nowhere: "notFound" } },
  release: { args: "vm-7 app", others: { "vm-7 nobody": "notFound" } },
  "devices list": { args: "" },
  "devices resolve": { args: "b 8:0 /dev/sda", others: { "b 8-0 /dev/sda": "usage" } },
  "devices attach": { args: "{device} c1", others: { "nothing c1": "notFound" } },
  "devices render": {
    args: "{device} qemu",
    others: { "{device} vmware": "usage", "nothing qemu": "notFound" },
  },
  "devices detach": { args: "{device} c1", others: { "nothing c1": "notFound" } },
  "devices image": {
    args: "",
    others: { "load /no/such/file": "usage", "load {image}": "refused", "load": "usage" },
  },
  "inodes list": { args: "" },
  "inodes stat": { args: "{inode}", others: { nothing: "notFound" } },
  "inodes write": {
    args: "{inode} {file}",
    others: { "nothing {file}": "notFound", "{readonly} {file}": "refused" },
  },
  "inodes read": { args: "{inode} --length 3", others: { nothing: "notFound" } },
  "inodes sync": { args: "{inode}", others: { nothing: "notFound" } },
  "inodes evict": {
    args: "{inode}",
    others: { nothing: "notFound", "{inode} --offset 1": "usage" },
  },
  "inodes kept": { args: "" },
  "inodes retry": { args: "nothing", ends: "notFound" },
  "inodes export": { args: "nothing {folder}/out", ends: "notFound" },
  "inodes discard": { args: "nothing", ends: "notFound" },
  "guests create": {
    args: "--image {program} --name g",
    gives: { ownerToken: "owner" },
    others: { "--image {program} --name g": "refused", "--name h": "usage" },
  },
  "guests list": { args: "" },
  "guests run": {
    args: `g ${OWNED}`,
    others: { g: "notPermitted", "nobody": "notFound", [`crash --owner {crash}`]: "failed" },
  },
  "guests interrupt": { args: "g 1", others: { "g one": "usage", "nobody 1": "notFound" } },
  "guests registers": {
    args: `g ${OWNED}`,
    others: { g: "notPermitted", [`g ${OWNED} --set ax`]: "usage" },
  },
  "guests memory": {
    args: `g 0x1000-0x1003 ${OWNED}`,
    others: { [`g x ${OWNED}`]: "usage", "g 0-1": "notPermitted" },
  },
  "guests state": {
    args: `g paused ${OWNED}`,
    others: { [`g asleep ${OWNED}`]: "usage", "g paused": "notPermitted" },
  },
  "guests snapshot": {
    args: `g ${OWNED}`,
    gives: { id: "snapshot" },
    others: { "nobody": "notFound" },
  },
  "guests clone": { args: "{snapshot} --name twin", others: { "nothing": "notFound" } },
  "guests boot": {
    args: "--kernel nothing",
    ends: "notFound",
    others: { "--kernel nothing --memory 1": "usage" },
  },
  "guests console": { args: "g", ends: "refused", others: { nobody: "notFound" } },
  "guests delete": { args: `g ${OWNED}` },
};
