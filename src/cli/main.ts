import { enterCallersFolder } from "./callers_folder.ts";
import { EXIT, ExitError } from "./exit.ts";
import type { Invocation } from "./program.ts";

/**
 * The command line.
 *
 * @param args What stands after the program's name
 * @returns The exit status
 */
export async function main(args: readonly string[]): Promise<number> {
  const { report } = await import("./report.ts");
  let json = args.includes("--json");
  let address: string | undefined;
  try {
    if (args[0] === "complete" && args[1] === "--") {
      return await complete(args.slice(2));
    }
    const invocation = await read(args);
    if (invocation === undefined) return EXIT.done;
    json = invocation.json;
    return await start(invocation, (found) => address = found);
  } catch (error) {
    return report(error, { json, address });
  }
}

/** Answers a completion script. */
async function complete(args: readonly string[]): Promise<number> {
  const [{ complete }, { completedCommands }] = await Promise.all([
    import("./completion.ts"),
    import("./commands.ts"),
  ]);
  await complete(args, completedCommands);
  return EXIT.done;
}

/** Reads the command line. A help is shown, and then there is nothing to run. */
async function read(args: readonly string[]): Promise<Invocation | undefined> {
  const [{ commandsFor }, { parse }, { layoutOf, writeOut }] = await Promise.all([
    import("./commands.ts"),
    import("./program.ts"),
    import("./terminal.ts"),
  ]);
  const parsed = parse(await commandsFor(args[0]), args, layoutOf());
  if ("run" in parsed) return parsed.run;
  writeOut(parsed.show);
  return undefined;
}

/** Runs a command until it is done or a signal comes. */
async function start(
  invocation: Invocation,
  onAddress: (address: string) => void,
): Promise<number> {
  const { spec, connect, json } = invocation;
  const { contextOf, localContext } = await import("./terminal.ts");
  const { runCommand } = await import("./run_command.ts");
  const ending = new AbortController();
  const options = { json, signal: ending.signal };
  const context = spec.isLocal === true ? localContext(options) : await contextOf(connect, options);
  onAddress(context.address);
  const done = runCommand(invocation, context);
  if (spec.handlesSignals === true) return await done;
  return await Promise.race([done, interruption(invocation.path, ending)]);
}

/** Rejects when the user ends the command. */
function interruption(path: string, ending: AbortController): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => {
        ending.abort();
        const message = `${signal} came before "innkeeper ${path}" was done: whatever it had ` +
          "begun may have been carried out";
        reject(new ExitError(EXIT.interrupted, message));
      });
    }
  });
}

if (import.meta.main) {
  enterCallersFolder();
  main(Deno.args).then((status) => Deno.exit(status));
}
