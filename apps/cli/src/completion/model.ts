import type { CommandSpec, CommandTable, Completion, OptionSpec } from "../command.ts";

/** What a completion script has to know: the table of commands, cut to that. */
export interface CompletionModel {
  /** The first words, in order. */
  readonly words: readonly Word[];
  /** First words that want a second one. */
  readonly families: readonly { readonly word: string; readonly commands: readonly Word[] }[];
  readonly commands: readonly CommandModel[];
  readonly globals: readonly OptionModel[];
  /** Every option that takes a value, of all commands, once. */
  readonly valueOptions: readonly OptionModel[];
}

/** A word to offer, with what it means. */
export interface Word {
  readonly word: string;
  readonly summary: string;
}

/** What can follow a command. */
export interface CommandModel {
  readonly path: string;
  readonly options: readonly OptionModel[];
  /** What each argument can be completed to; `undefined` for anything. */
  readonly arguments: readonly Candidates[];
}

/** An option in its spellings. */
export interface OptionModel {
  /** Without dashes. */
  readonly short: string | undefined;
  /** Without dashes. */
  readonly long: string;
  readonly takesValue: boolean;
  readonly complete: Candidates;
  readonly summary: string;
}

/** A fixed set of words, what somebody knows, or nothing that we could help with. */
export type Candidates = Completion | readonly string[] | undefined;

/** Global options that tell which node is meant: they are handed on when names are asked for. */
export const CONNECTION_OPTIONS = ["--url", "--token", "--data", "--context"] as const;

/** The model of a table of commands. */
export function completionModel({ groups, families: known, globalOptions }: CommandTable): CompletionModel {
  const specs = groups.flatMap(({ commands }) => commands);
  const words = new Map<string, string>();
  for (const { path, summary } of specs) {
    const [first = ""] = path.split(" ");
    words.set(first, known.find(({ word }) => word === first)?.summary ?? summary);
  }
  const families = known.map(({ word }) => ({
    word,
    commands: specs
      .filter(({ path }) => path.startsWith(`${word} `))
      .map(({ path, summary }) => ({ word: path.slice(word.length + 1), summary })),
  }));
  const help: OptionModel = { short: "h", long: "help", takesValue: false, complete: undefined, summary: "show help" };
  const noColor: OptionModel = {
    short: undefined,
    long: "no-color",
    takesValue: false,
    complete: undefined,
    summary: "no colours",
  };
  const globals = [...globalOptions.map(optionModel), noColor, help];
  const commands = specs.map(commandModel);
  const valued = [...globals, ...commands.flatMap(({ options }) => options)].filter(({ takesValue }) => takesValue);
  return {
    words: [...words].map(([word, summary]) => ({ word, summary })),
    families,
    commands,
    globals,
    valueOptions: [...new Map(valued.map((option) => [option.long, option])).values()],
  };
}

function commandModel(spec: CommandSpec): CommandModel {
  return {
    path: spec.path,
    options: (spec.options ?? []).map(optionModel),
    arguments: (spec.arguments ?? []).map(({ complete, choices }) => complete ?? choices),
  };
}

function optionModel({ flags, summary, choices, complete }: OptionSpec): OptionModel {
  const [, short, long = ""] = /^(?:-(\w), )?--([\w-]+)/.exec(flags) ?? [];
  return { short, long, takesValue: flags.includes("<"), complete: complete ?? choices, summary };
}

/** The option as it is typed, in each of its spellings. */
export function spellings({ short, long }: OptionModel): string[] {
  return short === undefined ? [`--${long}`] : [`-${short}`, `--${long}`];
}

/** Single-quoted for any of the shells. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
