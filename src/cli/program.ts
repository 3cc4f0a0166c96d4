import { Argument, Command, type CommanderError, Option } from "commander";
import denoJson from "../../deno.json" with { type: "json" };
import { type CommandSpec, type GroupSpec, isGroup, type Spec } from "./command.ts";
import { CONNECT_OPTIONS, type ConnectFlags } from "./connect_options.ts";
import { escapeText } from "./escape.ts";
import { EXIT_TABLE, UsageError } from "./exit.ts";
import { wholeNumber } from "./numbers.ts";
import { flag, type Options, type OptionSpec } from "./options.ts";

/** A command that was chosen, with the values that it was given. */
export interface Invocation {
  readonly spec: CommandSpec;
  /** The names that lead to it, such as `devices list`. */
  readonly path: string;
  readonly usage: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly connect: ConnectFlags;
  readonly json: boolean;
}

/** A command line asks to run a command, or to be shown a text. */
export type Parsed = { readonly run: Invocation } | { readonly show: string };

/** How texts are laid out. */
export interface Layout {
  readonly columns?: number | undefined;
  readonly isBold?: boolean;
}

const JSON_OPTION: Options = {
  json: flag("print lines of JSON alone; a failure is the last one"),
};
const NAME = "innkeeper";

/**
 * Reads a command line.
 *
 * @param args What stands behind the program's name
 * @throws {UsageError} when it cannot be understood; its message says why, and the usage
 */
export function parse(
  specs: readonly Spec[],
  args: readonly string[],
  layout: Layout = {},
): Parsed {
  const reading = new Reading(layout);
  const program = reading.program(specs);
  try {
    program.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const { command, cause } = error;
    if (cause.exitCode === 0) return { show: reading.shown };
    const group = specs.find((spec) => spec.name === command.name());
    const action = group !== undefined && isGroup(group) ? group.defaultAction : undefined;
    const isUnnamed = cause.code === "commander.help";
    if (isUnnamed && action !== undefined) return parse(specs, [...args, action], layout);
    if (isUnnamed) throw new UsageError(reading.shown.trimEnd());
    throw usageError(`Cannot run "${pathOf(command)}": ${reasonOf(cause.message)}`, command);
  }
  if (reading.chosen === undefined) throw new Error(`"${args.join(" ")}" chose no command`);
  return { run: reading.chosen };
}

/** The program for those who look at the whole of it, such as completion. */
export function programOf(specs: readonly Spec[]): Command {
  return new Reading({}).program(specs);
}

/** What commander says, in one line and without its prefix. */
function reasonOf(message: string): string {
  return message.replace(/^error: /, "").replaceAll("\n", " ");
}

function usageError(why: string, command: Command): UsageError {
  const path = pathOf(command);
  return new UsageError(`${escapeText(why)}\nusage: ${usageOf(command)}\nSee ${path} --help.`);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function usageOf(command: Command): string {
  return `${pathOf(command)} ${command.usage()}`;
}

/** Commander wants to end the program: an error, or a text that was asked for. */
class Stop extends Error {
  constructor(readonly command: Command, override readonly cause: CommanderError) {
    super(cause.message, { cause });
  }
}

/** One reading of a command line: what it shows, and what it chooses. */
class Reading {
  shown = "";
  chosen: Invocation | undefined;
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  program(specs: readonly Spec[]): Command {
    const program = this.#prepare(new Command(NAME), { ...CONNECT_OPTIONS, ...JSON_OPTION })
      .description("Innkeeper keeps the guests of one machine.")
      .enablePositionalOptions()
      .helpCommand("help [command]", "show the help of a command")
      .addHelpText("after", `\n${exitStatuses()}`);
    for (const spec of specs) {
      program.addCommand(isGroup(spec) ? this.#group(spec) : this.#command(spec));
    }
    return program;
  }

  #group(spec: GroupSpec): Command {
    const group = this.#prepare(new Command(spec.name), { ...CONNECT_OPTIONS, ...JSON_OPTION })
      .description(sentence(spec.summary))
      .summary(spec.summary)
      .helpCommand("help [command]", "show the help of a command")
      .enablePositionalOptions();
    for (const action of spec.actions) group.addCommand(this.#command(action));
    if (spec.defaultAction === undefined) return group;
    return group.addHelpText("after", `\nWithout a command it is "${spec.defaultAction}".`);
  }

  #command(spec: CommandSpec): Command {
    const { details } = spec;
    const command = this.#prepare(new Command(spec.name), spec.options)
      .summary(spec.summary)
      .description(sentence(spec.summary) + (details === undefined ? "" : `\n\n${details}`))
      .addHelpText("after", afterHelp(spec))
      .action(() => this.#choose(spec, command));
    for (const [name, { help, optional, choices }] of Object.entries(spec.arguments)) {
      const argument = new Argument(optional ? `[${name}]` : `<${name}>`, help);
      command.addArgument(choices === undefined ? argument : argument.choices(choices));
    }
    command.optionsGroup("Options of every command:");
    const shared = spec.isLocal ? JSON_OPTION : { ...CONNECT_OPTIONS, ...JSON_OPTION };
    for (const [name, option] of Object.entries(shared)) {
      if (!Object.hasOwn(spec.options, name)) command.addOption(optionOf(name, option));
    }
    return command;
  }

  /** Gives a command what each has: options, help, version, and an end that can be caught. */
  #prepare(command: Command, options: Options): Command {
    const { columns, isBold } = this.#layout;
    const show = (text: string): void => {
      this.shown += text;
    };
    command
      .exitOverride((cause) => {
        throw new Stop(command, cause);
      })
      .configureOutput({
        writeOut: show,
        writeErr: show,
        outputError: () => {},
        getOutHelpWidth: () => columns ?? 100,
        getErrHelpWidth: () => columns ?? 100,
        getOutHasColors: () => isBold === true,
        getErrHasColors: () => isBold === true,
      })
      .configureHelp({ styleTitle: (text) => isBold === true ? `\x1b[1m${text}\x1b[22m` : text })
      .helpOption("-h, --help", "show this text")
      .version(`${NAME} ${denoJson.version}`, "-V, --version", "show the version");
    for (const [name, option] of Object.entries(options)) {
      command.addOption(optionOf(name, option));
    }
    return command;
  }

  #choose(spec: CommandSpec, command: Command): void {
    const given = Object.assign({}, ...chainOf(command).map((one) => one.opts()));
    const valueOf = (name: string): unknown => given[new Option(`--${name}`).attributeName()];
    const named = (options: Options): Record<string, unknown> =>
      Object.fromEntries(
        Object.keys(options).map((name) => [name, valueOf(name)])
          .filter(([, value]) => value !== undefined),
      );
    for (const [name, { required, value }] of Object.entries(spec.options)) {
      if (required !== true || valueOf(name) !== undefined) continue;
      throw usageError(`Cannot run "${pathOf(command)}": --${name} ${value} is missing`, command);
    }
    const args = Object.keys(spec.arguments).map((name, index) => [name, command.args[index]]);
    this.chosen = {
      spec,
      path: pathOf(command).slice(NAME.length + 1),
      usage: usageOf(command),
      values: { ...Object.fromEntries(args), ...named(spec.options) },
      connect: named(CONNECT_OPTIONS),
      json: given.json === true,
    };
  }
}

/** From the program to the command. */
function chainOf(command: Command): Command[] {
  return command.parent === null ? [command] : [...chainOf(command.parent), command];
}

function optionOf(name: string, spec: OptionSpec): Option {
  const { kind, value, help, choices } = spec;
  const form = kind === "switch" ? `--${name}` : `--${name} <${value ?? "value"}>`;
  const option = new Option(form, kind === "texts" ? `${help}; repeatable` : help);
  if (choices !== undefined) option.choices(choices);
  if (kind === "number") return option.argParser((text) => wholeNumber(text, `--${name}`));
  if (kind !== "texts") return option;
  return option.argParser((text, before: readonly string[] | undefined) => [...before ?? [], text]);
}

function sentence(summary: string): string {
  return `${summary[0]?.toUpperCase()}${summary.slice(1)}.`;
}

function afterHelp({ examples }: CommandSpec): string {
  const lines = examples.map((example) => `  ${NAME} ${example}\n`);
  return `\nExamples:\n${lines.join("")}\n${exitStatuses()}`;
}

function exitStatuses(): string {
  const all = Object.values(EXIT_TABLE).map(([status, meaning]) => `${status} ${meaning}`);
  const lines: string[] = [];
  for (let at = 0; at < all.length; at += 4) lines.push(`  ${all.slice(at, at + 4).join(", ")}`);
  return `Exit status (docs/cli.md says more):\n${lines.join(",\n")}\n`;
}
