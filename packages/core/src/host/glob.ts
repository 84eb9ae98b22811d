import { coreError } from "../errors.ts";

/*
 * Globs of rules. Node's own `path.matchesGlob` passes over names that begin with a dot, so a rule that denies `/etc/**`
 * would leave `/etc/.pwd.lock` open; and it knows no way to say a bracket. Rules must mean what they say.
 */

/** Whether a text fits a glob. */
export type Glob = (text: string) => boolean;

/** What stands for itself in a glob, but not in a regular expression. */
const SPECIAL = /[\\^$.*+?()[\]{}|/]/g;

/**
 * Compiles a glob: `*` is any part of one segment (also one that begins with a dot), `**` any number of segments, `?` one
 * character, `[a-z]` and `[!a-z]` one of a set, `{a,b}` one of several, `\` takes the next character as it is. Segments are
 * split by `/`. `/data/**` is everything below `/data`, and not the folder itself.
 * @throws {MetanodeError} config.invalid – a bracket or a brace that is not closed; `path` says where the glob stands
 */
export function compileGlob(glob: string, path: string): Glob {
  const { source } = translate(glob, 0, false);
  try {
    const pattern = new RegExp(`^(?:${source})$`, "su");
    return (text) => pattern.test(text);
  } catch {
    throw unclosed(glob, path);
  }
}

function unclosed(glob: string, path: string): Error {
  return coreError(
    "config.invalid",
    `${path} is ${JSON.stringify(glob)}, expected a glob whose brackets and braces are closed; \\[ and \\{ stand for themselves`,
    { details: { path } },
  );
}

interface Translated {
  readonly source: string;
  /** Where it stopped: at the end, or at the `}` of the braces that it is in. */
  readonly end: number;
}

/** Something that no regular expression takes, for what has no end. */
const BROKEN = "(";

function translate(glob: string, from: number, isInBraces: boolean): Translated {
  let source = "";
  let at = from;
  while (at < glob.length && !(isInBraces && glob[at] === "}")) {
    const next = partAt(glob, at, isInBraces);
    source += next.source;
    at = next.end;
  }
  return { source, end: at };
}

function partAt(glob: string, at: number, isInBraces: boolean): Translated {
  const one = glob[at] as string;
  if (one === "*") return starsAt(glob, at);
  if (one === "[") return setAt(glob, at);
  if (one === "{") {
    const inner = translate(glob, at + 1, true);
    return { source: inner.end < glob.length ? `(?:${inner.source})` : BROKEN, end: inner.end + 1 };
  }
  if (one === "?") return { source: "[^/]", end: at + 1 };
  if (one === "," && isInBraces) return { source: "|", end: at + 1 };
  if (one !== "\\" || at + 1 === glob.length) return { source: literally(one), end: at + 1 };
  const escaped = String.fromCodePoint(glob.codePointAt(at + 1) as number);
  return { source: literally(escaped), end: at + 1 + escaped.length };
}

function literally(text: string): string {
  return text.replace(SPECIAL, "\\$&");
}

/** `**` is special only where it is a whole segment, as everywhere else. */
function starsAt(glob: string, at: number): Translated {
  let end = at;
  while (glob[end] === "*") end++;
  const before = glob[at - 1];
  const after = glob[end];
  const isSegment =
    end - at === 2 && (before === undefined || "/{,".includes(before)) && (after === undefined || "/},".includes(after));
  if (!isSegment) return { source: "[^/]*", end };
  return after === "/" ? { source: "(?:[^/]*/)*", end: end + 1 } : { source: ".+", end };
}

function setAt(glob: string, at: number): Translated {
  const close = glob.indexOf("]", at + 2);
  if (close < 0) return { source: BROKEN, end: glob.length };
  const isNot = glob[at + 1] === "!" || glob[at + 1] === "^";
  const inner = glob.slice(at + (isNot ? 2 : 1), close).replace(/[\\^[]/g, "\\$&");
  return { source: isNot ? `[^/${inner}]` : `(?!/)[${inner}]`, end: close + 1 };
}

/** The part of a glob before the first segment that has anything special in it: a folder, or everything. */
export function plainPrefix(glob: string): { readonly plain: string; readonly rest: string } {
  const special = glob.search(/[*?[\]{}\\]/);
  if (special < 0) {
    const slash = glob.lastIndexOf("/");
    return { plain: glob.slice(0, slash), rest: glob.slice(slash) };
  }
  const slash = glob.lastIndexOf("/", special);
  return slash < 0 ? { plain: "", rest: glob } : { plain: glob.slice(0, slash), rest: glob.slice(slash) };
}
