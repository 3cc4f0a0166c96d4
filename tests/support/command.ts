import type { CommandContext, Spec } from "../../src/cli/command.ts";
import type { Connection } from "../../src/cli/connect.ts";
import { jsonLine } from "../../src/cli/escape.ts";
import { parse } from "../../src/cli/program.ts";
import { runCommand } from "../../src/cli/run_command.ts";
import { noSocket } from "./sockets.ts";

/** What a command wrote, and how it ended. */
interface Ran {
  readonly status: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/**
 * Runs a command in this process.
 *
 * @param args What stands behind the command's own name
 */
export async function runSpec(
  spec: Spec,
  args: readonly string[],
  client: Connection["client"],
): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const parsed = parse([spec], [spec.name, ...args]);
  if ("show" in parsed) return { status: 0, out: parsed.show.split("\n"), err };
  const context: CommandContext = {
    address: "/test.sock",
    client,
    openSocket: noSocket,
    json: parsed.run.json,
    signal: new AbortController().signal,
    out: (line) => out.push(line),
    outJson: (value) => out.push(jsonLine(value)),
    outBytes: (bytes) => out.push(new TextDecoder().decode(bytes)),
    err: (line) => err.push(line),
  };
  return { status: await runCommand(parsed.run, context), out, err };
}
