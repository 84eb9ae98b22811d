import { streamError } from "../errors.ts";

/**
 * A command as words: a list is taken as it is; a line is split at blanks as a POSIX shell does it, with single quotes, double
 * quotes and backslashes, but nothing in it is expanded and no shell runs.
 * @throws {MetanodeError} stream.graph – there is no word, a quote is open, or there is a zero byte.
 */
export function commandWords(command: string | readonly string[]): [string, ...string[]] {
  const [program, ...args] = typeof command === "string" ? split(command) : command;
  if (program === undefined || program === "") throw wrong(String(command), "a program and its arguments");
  if ([program, ...args].some((word) => word.includes("\0"))) throw wrong(String(command), "no zero byte in it");
  return [program, ...args];
}

/** What stands between words. Other white space, such as a space that does not break, is part of a word, as in a shell. */
const BLANKS = " \t\n\r";
/** What a backslash takes the meaning of in double quotes. @source POSIX.1-2024, Shell Command Language, 2.2.3 */
const SPECIAL_IN_QUOTES = '$`"\\';

/** A word so far, or what is between words. */
interface Scan {
  readonly words: string[];
  word: string | undefined;
  quote: "'" | '"' | undefined;
}

function split(line: string): string[] {
  const scan: Scan = { words: [], word: undefined, quote: undefined };
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (char === "\\" && scan.quote !== "'") at = escaped(scan, line, at);
    else if (scan.quote !== undefined) quoted(scan, char);
    else if (char === "'" || char === '"') {
      scan.quote = char;
      scan.word ??= "";
    } else if (BLANKS.includes(char)) endWord(scan);
    else scan.word = (scan.word ?? "") + char;
  }
  if (scan.quote !== undefined) throw wrong(line, `a closing ${scan.quote}`);
  endWord(scan);
  return scan.words;
}

/** Takes the character behind a backslash; in double quotes only some are special, and a newline goes on. Returns where it stood. */
function escaped(scan: Scan, line: string, at: number): number {
  const next = line[at + 1];
  if (next === undefined) throw wrong(line, "a character behind the backslash at its end");
  if (next === "\n") return at + 1;
  const isSpecial = scan.quote === undefined || SPECIAL_IN_QUOTES.includes(next);
  scan.word = (scan.word ?? "") + (isSpecial ? next : `\\${next}`);
  return at + 1;
}

function quoted(scan: Scan, char: string): void {
  if (char === scan.quote) scan.quote = undefined;
  else scan.word = (scan.word ?? "") + char;
}

function endWord(scan: Scan): void {
  if (scan.word !== undefined) scan.words.push(scan.word);
  scan.word = undefined;
}

function wrong(found: string, expected: string): Error {
  return streamError("stream.graph", `the command ${JSON.stringify(found)} is not understood, expected ${expected}`, {
    details: { issues: [{ kind: "bad-value", path: "command", message: `expected ${expected}` }] },
  });
}
