import { ApiClient } from "./api/client.ts";
import type { Output } from "./output/output.ts";
import { connectionOf, type GlobalFlags, resolveSettings, type Settings } from "./settings.ts";

/** What the parser found. */
export interface InvocationParts {
  readonly output: Output;
  readonly flags: GlobalFlags;
  /** In the order of the command's arguments; the last may be a list. */
  readonly args: readonly unknown[];
  /** By name in camel case. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** One run of one command: what was given, and what it works with. */
export class Invocation {
  readonly output: Output;
  readonly flags: GlobalFlags;
  readonly #args: readonly unknown[];
  readonly #options: Readonly<Record<string, unknown>>;
  #settings: Promise<Settings> | undefined;

  constructor(given: InvocationParts) {
    this.output = given.output;
    this.flags = given.flags;
    this.#args = given.args;
    this.#options = given.options;
  }

  /** A required argument by its position; the parser has seen to its presence. */
  arg(index: number): string {
    return String(this.#args[index]);
  }

  /** An argument that may be absent. */
  optionalArg(index: number): string | undefined {
    const value = this.#args[index];
    return value === undefined ? undefined : String(value);
  }

  /** The words of a last argument that takes many. */
  words(index: number): readonly string[] {
    const value = this.#args[index];
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** Whether a switch was given. */
  has(name: string): boolean {
    return this.#options[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#options[name];
    return typeof value === "string" ? value : undefined;
  }

  /** A count, a size in bytes or a duration in milliseconds, as the table of commands says. */
  number(name: string): number | undefined {
    const value = this.#options[name];
    return typeof value === "number" ? value : undefined;
  }

  /** What `--env A=1 --env B=2` gave. */
  pairs(name: string): Readonly<Record<string, string>> | undefined {
    return this.#options[name] as Record<string, string> | undefined;
  }

  settings(): Promise<Settings> {
    this.#settings ??= resolveSettings(this.flags);
    return this.#settings;
  }

  /** The node that is meant. @throws {MetanodeError} node.unreachable – none is known. */
  async client(): Promise<ApiClient> {
    return new ApiClient(connectionOf(await this.settings()), (text) => this.output.detail(text));
  }
}
