import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";

const BIN = fileURLToPath(new URL("../bin/metanode.js", import.meta.url));

/** A file below test/fixtures. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** What a command said and how it ended. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** The command line as a user starts it; nothing of the environment of the tests reaches it. */
export function start(args: readonly string[], { cwd, env = {} }: RunOptions): ChildProcess {
  const { PATH = "", TMPDIR } = process.env;
  return spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { PATH, ...(TMPDIR ? { TMPDIR } : {}), HOME: cwd, XDG_CONFIG_HOME: join(cwd, "config"), ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options: RunOptions): Promise<Outcome> {
  const child = start(args, options);
  const out: Buffer[] = [];
  const talk: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => talk.push(chunk));
  child.stdin?.on("error", () => undefined); // a command that does not read its input has ended already
  child.stdin?.end(options.stdin ?? "");
  const [status] = (await once(child, "close")) as [number | null];
  const bytes = Buffer.concat(out);
  return { status, bytes, stdout: bytes.toString("utf8"), stderr: Buffer.concat(talk).toString("utf8") };
}

/** A folder of its own, removed at the end of the block. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "cli-")));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A node that `metanode up` runs in a folder of its own. */
export interface TestNode extends AsyncDisposable {
  readonly folder: string;
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything that `up` has written to standard output so far. */
  readonly said: () => string;
  /** Runs a command in the node's folder. */
  metanode(args: readonly string[], options?: Partial<RunOptions>): Promise<Outcome>;
}

/** Starts a node with the processor `text` and `others`, and dead letters after the first failure; `more` settings are laid over these. */
export async function startNode(others: readonly object[] = [], more: object = {}): Promise<TestNode> {
  const folder = temporaryFolder();
  const config = {
    listen: { port: 0 },
    log: { level: "silent" },
    durable: { maxAttempts: 1 },
    processors: [{ name: "text", file: fixture("text.ts") }, ...others],
    ...more,
  };
  writeFileSync(join(folder.path, "metanode.yaml"), stringify(config));
  const child = start(["up"], { cwd: folder.path });
  let said = "";
  let talk = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    talk += chunk;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk;
      const found = /ready at (\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", (status) => reject(new Error(`the node ended with status ${status}: ${talk}`)));
  });
  return {
    folder: folder.path,
    url,
    process: child,
    said: () => said,
    metanode: (args, options = {}) => run(args, { cwd: folder.path, ...options }),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      folder[Symbol.dispose]();
    },
  };
}

/** Waits until a condition holds; the limit is for a test that fails. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`this did not become true in ${limitMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
