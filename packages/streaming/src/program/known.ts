/** What is known of programs that people use in pipes. */
interface KnownProgram {
  /** Exit codes besides 0 that are no failure. */
  readonly goodExits?: readonly number[];
  /** Whether it keeps its output in a buffer while it runs, with these arguments, unless it writes to a terminal. */
  readonly buffers?: (args: readonly string[]) => boolean;
  /** What makes it write every record at once. */
  readonly remedy?: string;
}

const has = (args: readonly string[], ...flags: readonly string[]): boolean =>
  args.some(
    (arg) =>
      flags.includes(arg.replace(/=.*/, "")) ||
      (/^-[A-Za-z]+$/.test(arg) && flags.some((flag) => /^-[A-Za-z]$/.test(flag) && arg.includes(flag.charAt(1)))),
  );

const grep: KnownProgram = {
  goodExits: [1], // no line was selected: POSIX
  buffers: (args) => !has(args, "--line-buffered"),
  remedy: "--line-buffered",
};
const always = (remedy: string): KnownProgram => ({ buffers: () => true, remedy });

/** By the name of the program, without its folder. */
const known: Readonly<Record<string, KnownProgram>> = {
  grep,
  egrep: grep,
  fgrep: grep,
  zgrep: { goodExits: [1] },
  diff: { goodExits: [1] },
  cmp: { goodExits: [1] },
  sed: { buffers: (args) => !has(args, "-u", "--unbuffered", "-l", "--line-buffered"), remedy: "-u" },
  jq: { buffers: (args) => !has(args, "--unbuffered"), remedy: "--unbuffered" },
  awk: {
    buffers: (args) => !args.some((arg) => arg.includes("fflush") || arg === "interactive"),
    remedy: "fflush() after print",
  },
  mawk: { buffers: (args) => !args.some((arg) => arg.includes("fflush") || arg === "interactive"), remedy: "-W interactive" },
  gawk: { buffers: (args) => !args.some((arg) => arg.includes("fflush")), remedy: "fflush() after print" },
  python: { buffers: (args) => !has(args, "-u"), remedy: "-u" },
  python3: { buffers: (args) => !has(args, "-u"), remedy: "-u" },
  perl: { buffers: (args) => !args.some((arg) => arg.includes("$|")), remedy: "$| = 1" },
  tr: always("stdbuf -oL in front"),
  cut: always("stdbuf -oL in front"),
  uniq: always("stdbuf -oL in front"),
  tac: always("the mode in which it runs over batches"),
  sort: always("the mode in which it runs over batches"),
  wc: always("the mode in which it runs over batches"),
};

function nameOf(program: string): string {
  return program.replace(/^.*\//, "");
}

/** Exit codes that mean that the program did what it should. */
export function goodExitsOf(program: string): readonly number[] {
  return [0, ...(known[nameOf(program)]?.goodExits ?? [])];
}

/**
 * A warning about a program that lives on while it keeps answers in a buffer: its records would wait for ever. `undefined`
 * when nothing is known against it. In front of `stdbuf` nothing is said.
 */
export function bufferingWarning(node: string, [program, ...args]: readonly [string, ...string[]]): string | undefined {
  const found = known[nameOf(program)];
  if (found?.buffers?.(args) !== true) return undefined;
  const name = nameOf(program);
  return `${node}: ${name} keeps its output in a buffer while it runs, so answers would not come; use ${found.remedy}`;
}
