import { command, type CommandSpec, type Spec } from "./command.ts";
import { EXIT } from "./exit.ts";

/** Loads the commands that are completed. */
type Load = () => Promise<readonly Spec[]>;

/** `innkeeper completion`: prints what makes a shell complete commands and options. */
export function completionOf(load: Load): CommandSpec {
  return command({
    name: "completion",
    summary: "print a script that completes commands and options in a shell",
    details: "The script calls `innkeeper`, so that must be on the path.",
    arguments: { shell: { help: "which shell", choices: ["bash", "zsh", "fish"] } },
    examples: [
      "completion bash >> ~/.bashrc",
      "completion zsh > ~/.zfunc/_innkeeper",
      "completion fish > ~/.config/fish/completions/innkeeper.fish",
    ],
    isLocal: true,
    async run({ shell }) {
      // It writes to standard output by itself.
      (await completer(load)).setup("innkeeper", "innkeeper", shell);
      return { status: EXIT.done };
    },
  });
}

/**
 * Answers a completion script.
 *
 * @param args What stands on the command line behind the program's name; the last one is begun
 */
export async function complete(args: readonly string[], load: Load): Promise<void> {
  (await completer(load)).parse([...args]);
}

async function completer(load: Load) {
  const [{ default: tab }, { programOf }] = await Promise.all([
    import("@bomb.sh/tab/commander"),
    import("./program.ts"),
  ]);
  return tab(programOf(await load()), { completionCommandName: "completion" });
}
