import { spawn } from "node:child_process";
import { coreError } from "@metanode/core/errors";
import { uptimeMs } from "../time.ts";

/** What a shell reports for a program that a signal ended. */
const SIGNAL_STATUS: Readonly<Record<string, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGABRT: 134,
  SIGKILL: 137,
  SIGSEGV: 139,
  SIGTERM: 143,
};

/** One Ctrl-C under npm or npx comes twice: from the terminal, and handed on by npm. A person's second one comes later. */
const ECHO_MS = 1_000;

/** How often it is looked whether npx is still there. */
const LOOK_MS = 500;

/**
 * Runs Node with `args` and gives its exit status. The child is in a process group of its own, so that Ctrl-C reaches it
 * once, through us, and not a second time from the terminal, which would mean "at once". Over the channel it sees that we are gone, however
 * we ended.
 */
export function runChild(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ["inherit", "inherit", "inherit", "ipc"], detached: true });
  const lastMs = new Map<NodeJS.Signals, number>();
  const forward = (signal: NodeJS.Signals): void => {
    const isEcho = uptimeMs() - (lastMs.get(signal) ?? Number.NEGATIVE_INFINITY) < ECHO_MS;
    lastMs.set(signal, uptimeMs());
    if (!isEcho) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
  for (const signal of signals) process.on(signal, forward);
  const forget = onOrphaned(() => {
    if (lastMs.size === 0) forward("SIGTERM");
  });
  return new Promise((resolve, reject) => {
    const end = (): void => {
      for (const signal of signals) process.off(signal, forward);
      forget();
    };
    child.once("error", (cause) => {
      end();
      reject(coreError("config.invalid", `the node does not start: ${cause.message}`, { cause }));
    });
    child.once("exit", (code, signal) => {
      end();
      resolve(code ?? SIGNAL_STATUS[signal ?? ""] ?? 1);
    });
  });
}

/**
 * Calls `then` when whoever runs us in the foreground has ended and could not tell us: the entry that hands over to a newer Node, by its channel;
 * npx, which has a shell between itself and us that hands no signal on. Without those, who outlives a shell is meant to.
 */
function onOrphaned(then: () => void): () => void {
  process.once("disconnect", then);
  const parent = process.ppid;
  const look = isOfNpx() ? setInterval(() => process.ppid === parent || then(), LOOK_MS) : undefined;
  return () => {
    process.off("disconnect", then);
    clearInterval(look);
  };
}

function isOfNpx(): boolean {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = "" } = process.env;
  return event === "npx" && script.includes("metanode");
}
