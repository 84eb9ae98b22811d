/*
 * What is written down about an attempt never holds a secret that was named as one. It is better to hide too much: an
 * audit can do without a word, and cannot take one back.
 */

/** What stands in the place of a secret. */
export const REDACTED = "***";

/** Names under which secrets go. */
const NAMES = /pass|pwd|token|secret|key|credential|authorization|bearer/i;
/** A name, what else belongs to it, and what parts it from its value. */
const NAME_WITH_VALUE = new RegExp(`(?:${NAMES.source})[^\\s=:]*[\\s=:]`, "i");
/** The part of a URL that says who asks: `https://user:word@host`. */
const USER_INFO = /(:\/\/)[^/\s@]*@/g;

/**
 * The arguments of a program as they may be shown. The value of an argument that is named like a secret is hidden, as
 * `--token x`, `TOKEN=x`, `--token=x` and `Token: x`; so is everything after it in the same argument, and who asks in a URL.
 * The first, the program, stays as it is.
 */
export function redactArguments(argv: readonly string[]): string[] {
  let isValue = false;
  return argv.map((argument, index) => {
    if (index === 0) return argument;
    const hides = isValue;
    const named = NAME_WITH_VALUE.exec(argument);
    // Judged by the argument itself, also where it is hidden: whether `--token` was a value or a name, nobody can tell.
    isValue = NAMES.test(argument) && (named === null || named.index + named[0].length === argument.length);
    if (hides) return REDACTED;
    const shown = named === null ? argument : `${argument.slice(0, named.index + named[0].length)}${REDACTED}`;
    return shown.replace(USER_INFO, `$1${REDACTED}@`);
  });
}

/** Longest text about one attempt. */
const MAX_SHOWN = 1_000;

/** The command line as people read it: redacted, words with spaces in quotes, not too long. */
export function showCommand(argv: readonly string[]): string {
  const words = redactArguments(argv).map((word) => (/^[\w@%+=:,./*-]+$/.test(word) ? word : JSON.stringify(word)));
  const text = words.join(" ");
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
