import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Unavailable } from "./contender.ts";

/** Longest wait for a process to be ready. */
const START_TIMEOUT_MS = 15_000;

const children = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** A process that was started for a contender. */
export interface Started {
  stop(): Promise<void>;
}

/** Runs a module of ours in a process of its own and resolves when it called {@link sayReady}. */
export async function startModule(module: URL, args: readonly string[]): Promise<Started> {
  const child = fork(fileURLToPath(module), args, { stdio: ["ignore", 2, 2, "ipc"] });
  const started = track(child);
  const outcome = await Promise.race([
    once(child, "message").then(() => "ready"),
    once(child, "exit").then(([status]) => `ended with status ${status} before it was ready`),
    delay(START_TIMEOUT_MS, `was not ready after ${START_TIMEOUT_MS} ms`, { ref: false }),
  ]);
  if (outcome !== "ready") {
    await started.stop();
    throw new Error(`${path.basename(module.pathname)} ${outcome}`);
  }
  return started;
}

/** Runs a module of ours in a process of its own, and gives the one message that it sends. */
export async function runModule<T>(module: URL, args: readonly string[], execArgv: readonly string[]): Promise<T> {
  const child = fork(fileURLToPath(module), args, { stdio: ["ignore", 2, 2, "ipc"], execArgv: [...execArgv] });
  const { stop } = track(child);
  const ended = once(child, "exit").then(([status, signal]) => {
    throw new Error(`${path.basename(module.pathname)} ended with ${status ?? signal} and said nothing`);
  });
  try {
    const [message] = await Promise.race([once(child, "message"), ended]);
    return message as T;
  } finally {
    ended.catch(() => undefined);
    await stop();
  }
}

/** A module of ours in a process of its own that answers one question after the other. */
export interface Asked extends Started {
  /** Its answer. One at a time. */
  ask(question: object): Promise<unknown>;
}

/** What goes back and forth between {@link startAsked} and {@link answerQuestions}. */
type Reply = { readonly value: unknown } | { readonly error: string };

/** Runs a module of ours in a process of its own and resolves when it called {@link answerQuestions}. */
export async function startAsked(module: URL, args: readonly string[]): Promise<Asked> {
  const child = fork(fileURLToPath(module), args, { stdio: ["ignore", 2, 2, "ipc"] });
  const { stop } = track(child);
  const name = `${path.basename(module.pathname)} ${args[0] ?? ""}`;
  const ended = once(child, "exit").then(([status, signal]) => {
    throw new Error(`${name} ended with ${status ?? signal}`);
  });
  ended.catch(() => undefined);
  const reply = async (): Promise<unknown> => {
    const [message] = (await Promise.race([once(child, "message"), ended])) as [Reply];
    if ("error" in message) throw new Error(`${name}: ${message.error}`);
    return message.value;
  };
  const ask = (question: object): Promise<unknown> => {
    const answer = reply();
    child.send(question);
    return answer;
  };
  try {
    await reply();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ask,
    stop: async () => {
      // Asked to end it closes what it has open; whoever does not is ended.
      await Promise.race([ask({ end: true }).catch(() => undefined), delay(START_TIMEOUT_MS, undefined, { ref: false })]);
      await stop();
    },
  };
}

/** For a module that {@link startAsked} runs: it is ready, answers questions, and ends with the process that started it. */
export function answerQuestions(answer: (question: object) => Promise<unknown>, close: () => Promise<void>): void {
  const send = (reply: Reply): void => void process.send?.(reply);
  process.on("message", (question: object) => {
    const work = "end" in question ? close() : answer(question);
    work.then(
      (value) => send({ value }),
      (error: unknown) => send({ error: (error as Error).stack ?? String(error) }),
    );
  });
  process.once("disconnect", () => process.exit(0));
  send({ value: "ready" });
}

/** For a module that {@link startModule} runs: it is ready, and ends when the process that started it ends. */
export function sayReady(): void {
  process.once("disconnect", () => process.exit(0));
  process.send?.("ready");
}

/** A nats-server on a free port of the loopback interface. @throws {Unavailable} There is none on PATH, or it is too old. */
export async function startNats(options: { jetstreamFolder?: string } = {}): Promise<Started & { readonly url: string }> {
  const version = natsVersion();
  const ports = temporaryFolder("nats-");
  const store = options.jetstreamFolder === undefined ? [] : ["-js", "-sd", options.jetstreamFolder];
  const args = ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", ports, ...store];
  const child = spawn("nats-server", args, { stdio: "ignore" });
  const started = track(child);
  const stop = async (): Promise<void> => {
    await started.stop();
    rmSync(ports, { recursive: true, force: true });
  };
  for (const endMs = performance.now() + START_TIMEOUT_MS; performance.now() < endMs && child.exitCode === null; ) {
    const [file] = readdirSync(ports);
    const text = file === undefined ? "" : readFileSync(path.join(ports, file), "utf8");
    if (text.trimEnd().endsWith("}")) {
      const { nats } = JSON.parse(text) as { nats: string[] };
      return { url: nats[0] ?? "", stop };
    }
    await delay(20);
  }
  await stop();
  throw new Unavailable(`nats-server ${version} did not start`);
}

function natsVersion(): string {
  const { stdout, error } = spawnSync("nats-server", ["-v"], { encoding: "utf8" });
  if (error) throw new Unavailable("nats-server is not on PATH");
  const [version = "", major = "0", minor = "0"] = /v?(\d+)\.(\d+)\.\d+/.exec(stdout) ?? [];
  if (Number(major) < 2 || (Number(major) === 2 && Number(minor) < 9)) {
    throw new Unavailable(`nats-server is ${version}, expected 2.9 or later`);
  }
  return version;
}

/** A port of the loopback interface that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A new folder for sockets and small files. */
export function temporaryFolder(prefix: string): string {
  return mkdtempSync(path.join(tmpdir(), `metanode-bench-${prefix}`));
}

/** A folder on the disk of the repository: a folder for temporary files may be in memory, where nothing is durable. */
export function diskRoot(): string {
  const folder = fileURLToPath(new URL("../.metanode", import.meta.url));
  if (!existsSync(folder)) mkdirSync(folder);
  return folder;
}

/** A new folder in {@link diskRoot}. */
export function diskFolder(prefix: string): string {
  return mkdtempSync(path.join(diskRoot(), prefix));
}

/** Sees to it that the process ends, at the latest with this one. */
export function track(child: ChildProcess): Started {
  children.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return {
    stop: async () => {
      children.delete(child);
      child.kill("SIGTERM");
      await ended;
    },
  };
}
