import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isAsSaid, type PageCommands, type Step } from "./docs-page.ts";
import { temporaryFolder } from "./helpers.ts";

const BIN = fileURLToPath(new URL("../bin/metanode.js", import.meta.url));
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Ports that pages name; a run has free ones in their place. */
const PORTS = ["7400", "7401", "4001", "8082"];
const PAGE_MS = 50_000;

/** What came of a page: how many commands ran, and what was not as the page says. */
export interface PageOutcome {
  readonly ran: number;
  readonly faults: readonly string[];
}

/** Does what a page has its reader do, in a folder of its own and in one shell, and compares. */
export async function runPage(steps: readonly Step[]): Promise<PageOutcome> {
  using folder = temporaryFolder();
  const work = join(folder.path, "shop");
  const results = join(folder.path, "results");
  for (const path of [work, results, join(folder.path, "bin")]) mkdirSync(path);
  // As in a folder of a clone.
  for (const name of ["node_modules", "examples"]) symlinkSync(join(ROOT, name), join(folder.path, name));
  writeFileSync(join(work, "package.json"), JSON.stringify({ type: "module" }));
  const tool = (name: string, text: string): void => {
    writeFileSync(join(folder.path, "bin", name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  };
  tool("metanode", `exec "${process.execPath}" "${BIN}" "$@"`);
  tool("npx", `[ "$1" = metanode ] || { echo "npx $1 is not for tests" >&2; exit 99; }; shift; exec metanode "$@"`);
  symlinkSync(process.execPath, join(folder.path, "bin/node"));
  const ports = await freePorts(PORTS.length);
  const real = (text: string): string => text.replace(/\b\d{4}\b/g, (port) => String(ports[PORTS.indexOf(port)] ?? port));
  const script = scriptOf(steps, { results, real });
  writeFileSync(join(folder.path, "page.sh"), script);
  await runScript(folder.path, String(ports[0]));
  return outcomeOf(steps, { results, real });
}

interface Place {
  readonly results: string;
  readonly real: (text: string) => string;
}

/** One shell for the page, so that variables and background jobs last. */
function scriptOf(steps: readonly Step[], { results, real }: Place): string {
  const lines = [
    `ready() { for i in $(seq 300); do grep -q 'ready at' "$1" && return; kill -0 $! || break; sleep 0.1; done 2> /dev/null; echo "the node did not become ready" >> "$1"; }`,
  ];
  for (const [at, step] of steps.entries()) {
    if (step.kind === "file") {
      const source = join(results, `${at}.file`);
      writeFileSync(source, real(step.text));
      lines.push(`mkdir -p "./${dirname(step.name)}"; cp "${source}" "./${step.name}"`);
      continue;
    }
    const out = join(results, `${at}.out`);
    for (const [index, { text }] of step.commands.entries()) {
      const source = join(results, `${at}.${index}.sh`);
      writeFileSync(source, real(text));
      lines.push(`. "${source}" >> "${out}" 2>&1 < /dev/null; echo $? > "${source}.status"`);
      if (isStart(text)) lines.push(`ready "${out}"`);
    }
  }
  lines.push("kill $(jobs -p) 2> /dev/null; wait");
  return `${lines.join("\n")}\n`;
}

function isStart(command: string): boolean {
  return /\bmetanode up\b[^\n>]*&\s*(#[^\n]*)?\n$/.test(command);
}

async function runScript(folder: string, port: string): Promise<void> {
  const { PATH = "", TMPDIR } = process.env;
  const shell = spawn("bash", [join(folder, "page.sh")], {
    cwd: join(folder, "shop"),
    detached: true, // a group of its own, so that nothing of it is left behind
    env: {
      PATH: `${join(folder, "bin")}:${PATH}`,
      ...(TMPDIR ? { TMPDIR } : {}),
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, "config"),
      NO_COLOR: "1",
      METANODE_LISTEN_PORT: port,
      METANODE_LOG_LEVEL: "silent",
    },
    stdio: "ignore",
  });
  // A node is in a group of its own, and hears of SIGTERM through `metanode up`.
  const limits = [
    setTimeout(() => signal(shell.pid, "SIGTERM"), PAGE_MS),
    setTimeout(() => signal(shell.pid, "SIGKILL"), PAGE_MS + 5_000),
  ];
  await once(shell, "exit");
  for (const limit of limits) clearTimeout(limit);
  signal(shell.pid, "SIGKILL");
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // all of the group have ended
  }
}

function outcomeOf(steps: readonly Step[], { results, real }: Place): PageOutcome {
  const faults: string[] = [];
  let ran = 0;
  for (const [at, step] of steps.entries()) {
    if (step.kind === "file") continue;
    const out = join(results, `${at}.out`);
    const output = existsSync(out) ? readFileSync(out, "utf8") : "";
    const wrong = wrongStatus(step, (index) => join(results, `${at}.${index}.sh.status`));
    ran += step.commands.length;
    if (wrong !== undefined) faults.push(`line ${step.line}: ${wrong}\n${output}`);
    if (step.output !== undefined && !isAsSaid(output, real(step.output))) {
      faults.push(`line ${step.line}: the page says\n${real(step.output)}and this is seen\n${output}`);
    }
  }
  return { ran, faults };
}

function wrongStatus(step: PageCommands, fileOf: (index: number) => string): string | undefined {
  for (const [index, { text, status }] of step.commands.entries()) {
    const file = fileOf(index);
    const found = existsSync(file) ? readFileSync(file, "utf8").trim() : "nothing: it did not end";
    if (found !== String(status)) return `status ${found} where ${status} is expected, of ${text}`;
  }
  return undefined;
}

/** Below the ports that the system gives to whoever asks for any, so that nobody gets them meanwhile. */
const LOWEST_PORT = 20_000;
const PORT_COUNT = 10_000;
let portsTried = process.pid * PORTS.length;

/** Ports that are free now; each is given once. */
async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = LOWEST_PORT + (portsTried++ % PORT_COUNT);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
