import { coreError, type MetanodeError } from "@metanode/core/errors";
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { commandTable } from "./commands/index.ts";
import { parseBytes, parseDuration } from "./duration.ts";
import { Invocation } from "./invocation.ts";
import { nearestOf } from "./nearest.ts";
import { Output, type OutputFormat } from "./output/output.ts";
import { VERSION } from "./version.ts";

/** Parses a command line and runs the command that it names. @throws {MetanodeError} usage.invalid, and the command's own. */
export async function runCommandLine(words: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error);
  }
}

/** The parser, made from the table of commands. */
export function createProgram(): Command {
  const program = new Command("metanode");
  // Before any subcommand is made: they inherit it.
  program
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .configureHelp({ showGlobalOptions: true, helpWidth: process.stdout.columns ?? 110, subcommandTerm: termOf })
    .helpCommand(false)
    .description("Starts a meta node, sends it messages, and looks after what it hosts.")
    .version(VERSION, "--version", "print the version")
    .addHelpText(
      "after",
      `\nTry:\n${exampleLines([
        { line: "up", does: "start a node here" },
        { line: "status", does: "see how it does" },
      ])}`,
    )
    .usage("<command> [options]")
    .argument("[command]")
    .allowExcessArguments()
    .action(async (given: string | undefined) => {
      if (given === undefined) program.outputHelp();
      else
        throw await unknownCommand(
          given,
          program.commands.map((command) => command.name()),
        );
    });
  for (const option of commandTable.globalOptions) program.addOption(optionOf(option));
  program.option("--no-color", "no colours, as with NO_COLOR");
  const families = new Map<string, Command>();
  for (const { title, commands } of commandTable.groups) {
    for (const spec of commands) addCommand({ program, families, spec, title });
  }
  for (const spec of commandTable.hidden) program.addCommand(inherit(commandOf(spec, spec.path), program), { hidden: true });
  return program;
}

/** A command in the list of a help. */
function termOf(command: Command): string {
  if (command.commands.length > 0) return `${command.name()} <command>`;
  return [command.name(), ...command.registeredArguments.map((one) => usageOf(one))].join(" ");
}

function usageOf(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function addCommand(place: { program: Command; families: Map<string, Command>; spec: CommandSpec; title: string }): void {
  const { program, families, spec, title } = place;
  const [word = "", second] = spec.path.split(" ");
  if (second === undefined) {
    program.addCommand(inherit(commandOf(spec, word).helpGroup(`${title}:`), program));
    return;
  }
  let family = families.get(word);
  if (family === undefined) {
    family = familyOf(word, title);
    families.set(word, family);
    // Here a word too many is an unknown command, which the family itself answers for.
    program.addCommand(inherit(family, program).allowExcessArguments());
  }
  family.addCommand(inherit(commandOf(spec, second), program));
}

function inherit(command: Command, program: Command): Command {
  return command.copyInheritedSettings(program).helpCommand(false).allowExcessArguments(false);
}

function familyOf(word: string, title: string): Command {
  const summary = commandTable.families.find((family) => family.word === word)?.summary ?? word;
  const family = new Command(word).description(summary).helpGroup(`${title}:`);
  family.argument("[subcommand]");
  family.usage("<command> [options]");
  family.action(async (given: string | undefined) => {
    const names = family.commands.map((one) => one.name());
    if (given === undefined) throw coreError("usage.invalid", `metanode ${word} needs a command: ${names.join(", ")}`);
    throw await unknownCommand(
      `${word} ${given}`,
      names.map((name) => `${word} ${name}`),
    );
  });
  return family;
}

function commandOf(spec: CommandSpec, name: string): Command {
  const command = new Command(name).summary(spec.summary).description([spec.summary, spec.details].filter(Boolean).join(".\n\n"));
  for (const { usage, summary, choices } of spec.arguments ?? []) {
    const argument = new Argument(usage, summary);
    command.addArgument(choices === undefined ? argument : argument.choices([...choices]));
  }
  for (const option of spec.options ?? []) command.addOption(optionOf(option));
  command.addHelpText("after", `\nExamples:\n${exampleLines(spec.examples)}`);
  command.action(async (...given: unknown[]) => {
    const { run } = await spec.load();
    await run(invocationOf(command, given), commandTable);
  });
  return command;
}

function exampleLines(examples: readonly { line: string; does: string }[]): string {
  return examples.map(({ line, does }) => `  # ${does}\n  metanode ${line}`).join("\n");
}

function invocationOf(command: Command, given: readonly unknown[]): Invocation {
  const options = command.optsWithGlobals() as Record<string, unknown>;
  const text = (name: string): Record<string, string> => (typeof options[name] === "string" ? { [name]: options[name] } : {});
  return new Invocation({
    output: new Output({
      format: options.output as OutputFormat,
      color: options.color !== false,
      verbose: options.verbose === true,
    }),
    flags: { ...text("url"), ...text("token"), ...text("data"), ...text("context") },
    args: given.slice(0, -2), // without the options and the command itself
    options,
  });
}

function optionOf(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.summary);
  if (spec.choices !== undefined) option.choices([...spec.choices]);
  if (spec.flags.includes("--output")) option.default("table");
  switch (spec.kind) {
    case "count":
      return option.argParser(parseCount);
    case "duration":
      return option.argParser((text) => asArgument(() => parseDuration(text)));
    case "bytes":
      return option.argParser((text) => asArgument(() => parseBytes(text)));
    case "pairs":
      return option.argParser(collectPair);
    default:
      return option;
  }
}

function parseCount(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError("Expected a whole number of 0 or more.");
}

function asArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function collectPair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected NAME=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** The parser's own complaint as an error of ours, on one line. */
function usageError(error: CommanderError): MetanodeError {
  const [first = "", hint] = error.message.replace(/^error: /, "").split("\n");
  const text = hint === undefined ? first : `${first} ${hint}`;
  return coreError("usage.invalid", `${text.replace(/\.$/, "")}; \`metanode --help\` shows what there is`);
}

async function unknownCommand(given: string, known: readonly string[]): Promise<MetanodeError> {
  const near = await nearestOf(given, known);
  const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean \`metanode ${near}\`?`;
  return coreError("usage.invalid", `unknown command ${JSON.stringify(given)}; ${hint}`, {
    details: { known: [...known], ...(near === undefined ? {} : { suggestion: near }) },
  });
}
