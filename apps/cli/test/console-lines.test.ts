import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { commandTable } from "../src/commands/index.ts";
import { createProgram } from "../src/program.ts";

const CONSOLE = fileURLToPath(new URL("../../console/src/", import.meta.url));
const MARK = "npx metanode ";

interface Line {
  readonly file: string;
  /** Without `npx metanode`, and with a word for each placeholder. */
  readonly text: string;
}

/** The command lines that a source shows: in strings, each line of them, and as text of an element. */
function linesOf(file: string, source: string): readonly Line[] {
  const lines: Line[] = [];
  for (let at = source.indexOf(MARK); at >= 0; at = source.indexOf(MARK, at + 1)) {
    const before = source[at - 1] ?? "";
    // What follows `\n` is a further line of the string that begins with the line before.
    const end = source.slice(at - 2, at) === "\\n" ? undefined : ({ ">": "<" }[before] ?? before);
    if (end === undefined) continue;
    const text = source.slice(at, endOf(source, at, end)).replace(/\$?\{[^{}…]*\}/g, "PLACEHOLDER");
    for (const line of text.split(/\\n|\n/)) {
      if (line.startsWith(MARK)) lines.push({ file, text: line.slice(MARK.length).replaceAll("\\", "") });
    }
  }
  return lines;
}

/** Where a string or an element's text is over: at its end, if it is not within a placeholder. */
function endOf(source: string, from: number, end: string): number {
  let depth = 0;
  for (let at = from; at < source.length; at++) {
    const character = source[at];
    if (character === "\\") at++;
    else if (end !== '"' && end !== "'" && character === "{") depth++;
    else if (depth > 0 && character === "}") depth--;
    else if (depth === 0 && character === end) return at;
  }
  throw new Error(`a command line has no end: ${source.slice(from, from + 80)}`);
}

/** As a shell takes a line apart. */
function wordsOf(line: string): readonly string[] {
  return (line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []).map((word) => word.replace(/['"]/g, ""));
}

class Understood extends Error {}

/** The command that the parser takes a line for. @throws what it says of a line that it does not take */
async function commandOf(line: string): Promise<string> {
  let found: Command | undefined;
  const program = createProgram().hook("preAction", (_program, command) => {
    found = command;
    throw new Understood();
  });
  try {
    await program.parseAsync(wordsOf(line), { from: "user" });
  } catch (error) {
    if (!(error instanceof Understood)) throw error;
  }
  const path: string[] = [];
  for (let command = found; command?.parent; command = command.parent) path.unshift(command.name());
  return path.join(" ");
}

const files = globSync("**/*.tsx", { cwd: CONSOLE }).sort();
const sources = files.map((file) => [file, readFileSync(`${CONSOLE}${file}`, "utf8")] as const);
const lines = sources.flatMap(([file, source]) => linesOf(file, source));
const known = new Set(commandTable.groups.flatMap(({ commands }) => commands.map(({ path }) => path)));

describe("the command lines that the console shows", () => {
  test("are all found", () => {
    const count = sources.reduce((sum, [, source]) => sum + source.split(MARK).length - 1, 0);
    expect(lines.length).toBe(count);
    expect(count).toBeGreaterThan(50);
  });

  test.each(lines.map(({ file, text }) => [text, file]))("%s (%s) is one that the command line takes", async (text) => {
    // A placeholder that is less or more than one argument could hide an option.
    expect(text).not.toMatch(/[^\s']PLACEHOLDER|PLACEHOLDER[^\s']/);
    const command = await commandOf(text);
    expect(known, `there is no command ${JSON.stringify(command)}`).toContain(command);
  });
});

describe("how command lines are found in a source", () => {
  test("strings, further lines of them, templates and texts of elements", () => {
    const source = [
      `cli={["npx metanode a 'b'", \`npx metanode c \${quoted(x ?? "Y")} '{…}'\`]}`,
      `command={'npx metanode d\\nnpx metanode e \\'{}\\''}`,
      "<code>npx metanode f {quoted(id)}</code>",
    ].join("\n");
    expect(linesOf("x.tsx", source).map(({ text }) => text)).toEqual([
      "a 'b'",
      "c PLACEHOLDER '{…}'",
      "d",
      "e 'PLACEHOLDER'",
      "f PLACEHOLDER",
    ]);
  });

  test("a line with an unknown command or option is not taken", async () => {
    expect(known).not.toContain(await commandOf("stats"));
    expect(known).not.toContain(await commandOf("actor fly"));
    await expect(commandOf("status --loud")).rejects.toThrow("--loud");
    await expect(commandOf("processor get a b")).rejects.toThrow("too many arguments");
  });
});
