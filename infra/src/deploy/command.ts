import { spawn } from "node:child_process";
import { coreError } from "@metanode/core/errors";

/** How a program is run: without a shell, its arguments as they are. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** What it reads; nothing without it. Here go secrets, and never among the arguments. */
  readonly stdin?: string;
  readonly signal?: AbortSignal | undefined;
}

/** What a program said and how it ended. */
export interface CommandResult {
  /** Null where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever that is. @throws {MetanodeError} call.unsupported – it is not there */
export function runCommand({ program, args, stdin = "", signal }: Command): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], ...(signal === undefined ? {} : { signal }) });
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        text[name] += chunk;
      });
    }
    child.stdin.on("error", () => undefined); // it does not want to read it all
    child.stdin.end(stdin);
    child.once("error", (cause: NodeJS.ErrnoException) => {
      const isMissing = cause.code === "ENOENT";
      if (isMissing)
        reject(coreError("call.unsupported", `the program ${program} is not on the PATH; install it, or name another`));
      else reject(cause);
    });
    child.once("close", (status) => resolve({ status, ...text }));
  });
}
