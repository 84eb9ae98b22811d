import { asMetanodeError, errorRow, type MetanodeError } from "@metanode/core/errors";
import "@metanode/actors/errors"; // its codes, for their exit statuses
import { Exit } from "./exit.ts";
import { failureLine, failurePlace, problemOf } from "./failure.ts";
import { runCommandLine } from "./program.ts";

/** What a program gets from the shell when it writes to a pipe that nobody reads any more: 128 + SIGPIPE. */
const BROKEN_PIPE_STATUS = 141;

/** Runs the command line of this process and sets its exit status. The only place that ends the process. */
export async function main(words: readonly string[] = process.argv.slice(2)): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // `metanode types | head -1`: the reader has what it wanted.
      if (error.code === "EPIPE") process.exit(BROKEN_PIPE_STATUS);
      process.stderr.write(`error core.internal: the output cannot be written: ${error.message}\n`);
      process.exit(1);
    });
  }
  try {
    await runCommandLine(words);
  } catch (error) {
    process.exitCode = await report(error, words);
  }
}

/** Says what went wrong, and returns the exit status for it. */
async function report(thrown: unknown, words: readonly string[]): Promise<number> {
  if (thrown instanceof Exit) return thrown.status;
  // The codes of workflows and graphs, for their exit statuses; whatever goes well does without them.
  await Promise.all([import("@metanode/nature/errors"), import("@metanode/streaming/errors")]);
  const error = asMetanodeError(thrown);
  const format = formatOf(words);
  const place = failurePlace(error);
  if (format === "table") process.stderr.write(`${failureLine(error)}\n${place === undefined ? "" : `${place}\n`}`);
  else process.stderr.write(await encodeProblem(error, format));
  const isVerbose = words.some((word) => word === "-v" || word === "--verbose");
  if (isVerbose || error.code === "core.internal") process.stderr.write(`${error.stack ?? ""}\n`);
  return errorRow(error.code).exit;
}

async function encodeProblem(error: MetanodeError, format: "json" | "yaml"): Promise<string> {
  const problem = "problem" in error ? error.problem : problemOf(error);
  if (format === "json") return `${JSON.stringify(problem)}\n`;
  const { stringify } = await import("yaml");
  return stringify(problem);
}

/** The format that was asked for, also when the command line could not be parsed. */
function formatOf(words: readonly string[]): "table" | "json" | "yaml" {
  const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  let found = "table";
  own.forEach((word, index) => {
    if (word === "-o" || word === "--output") found = own[index + 1] ?? found;
    else found = /^(?:-o|--output=)(\w+)$/.exec(word)?.[1] ?? found;
  });
  return found === "json" || found === "yaml" ? found : "table";
}
