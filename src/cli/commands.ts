import type { Spec } from "./command.ts";

/** Every command by its name. Each is loaded only when it is called, or shown in a help. */
const COMMANDS: Readonly<Record<string, () => Promise<Spec>>> = {
  serve: async () => (await import("./serve_command.ts")).serve,
  watch: async () => (await import("./watch.ts")).watch,
  bump: async () => (await import("./bump.ts")).bump,
  wait: async () => (await import("./wait.ts")).wait,
  scopes: async () => (await import("./scopes.ts")).scopes,
  watchers: async () => (await import("./watchers.ts")).watchers,
  release: async () => (await import("./watchers.ts")).release,
  devices: async () => (await import("./devices.ts")).devices,
  inodes: async () => (await import("./inodes.ts")).inodes,
  guests: async () => (await import("./guests.ts")).guests,
  mount: async () => (await import("./mount.ts")).mount,
  doctor: async () => (await import("./doctor.ts")).doctor,
};

/** Loads every command but the one that completes the others. */
export async function completedCommands(): Promise<readonly Spec[]> {
  return await Promise.all(Object.values(COMMANDS).map((load) => load()));
}

async function completion(): Promise<Spec> {
  return (await import("./completion.ts")).completionOf(completedCommands);
}

/** Loads every command. */
export async function allCommands(): Promise<readonly Spec[]> {
  return [...await completedCommands(), await completion()];
}

/** Loads the command that the first argument names; all of them when it names none. */
export async function commandsFor(first = ""): Promise<readonly Spec[]> {
  if (first === "completion") return [await completion()];
  const load = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  return load === undefined ? await allCommands() : [await load()];
}
