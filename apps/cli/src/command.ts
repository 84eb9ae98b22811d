import type { Invocation } from "./invocation.ts";

/**
 * One command as data. The table of commands ({@link ../commands/index.ts}) is all that the parser, the help, the completion
 * scripts and the README know; what a command does is loaded only when it runs.
 */
export interface CommandSpec {
  /** The words that call it, for example `processor ls`. */
  readonly path: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** More for the help of the command itself. */
  readonly details?: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Command lines without the leading `metanode`, each with what it does. */
  readonly examples: readonly [Example, ...Example[]];
  readonly load: () => Promise<{ readonly run: CommandHandler }>;
}

/** Does what a command is for. A throw becomes the exit status; the table is for commands about commands. */
export type CommandHandler = (invocation: Invocation, table: CommandTable) => Promise<void>;

/** A command line with what it is good for. */
export interface Example {
  readonly line: string;
  readonly does: string;
}

/** What a word can be completed to: names that the node or this machine knows, or files. */
export type Completion = "processor" | "actor" | "meta" | "type" | "context" | "code" | "file";

/** A word after the command. */
export interface ArgumentSpec {
  /** In the spelling of the usage line: `<type>`, `[data]`, `[command...]`. */
  readonly usage: string;
  readonly summary: string;
  /** The only words that are taken. */
  readonly choices?: readonly string[];
  readonly complete?: Completion;
}

/** How the value of an option is read. A duration is given with its unit (`5s`) and handed over in milliseconds. */
export type ValueKind = "text" | "count" | "duration" | "bytes" | "pairs";

/** An option of a command, or of all. */
export interface OptionSpec {
  /** In the spelling of the usage line: `--timeout <duration>`, `-f, --follow`. */
  readonly flags: string;
  readonly summary: string;
  /** @default "text"; an option without a value is a switch */
  readonly kind?: ValueKind;
  /** The only values that are taken. */
  readonly choices?: readonly string[];
  readonly complete?: Completion;
}

/** A heading of the help and of the README, with what one does with its commands. */
export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly CommandSpec[];
}

/** Words that only group commands, with their line in the help. */
export interface CommandFamily {
  readonly word: string;
  readonly summary: string;
}

/** Everything that can be called. */
export interface CommandTable {
  /** In the order of the help. */
  readonly groups: readonly CommandGroup[];
  readonly families: readonly CommandFamily[];
  readonly globalOptions: readonly OptionSpec[];
  /** Commands that only our own scripts call; nobody is told of them. */
  readonly hidden: readonly CommandSpec[];
}
