import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { documentOf, errorsTo, fuzzedGateway, isEndless, type OpenApi } from "../apps/gateway/test/fuzz/subject.ts";
import { tempFolder } from "../apps/gateway/test/harness.ts";
import { repositoryRoot } from "./lib/workspaces.ts";

/*
 * Fuzzes the HTTP API of a gateway from its own OpenAPI document, with schemathesis.
 *   npm run fuzz:api -- [--examples 50] [--seed 1] [--long] [--only operationId] [--keep]
 * Exit status 0 if every answer was one that the document names, or if schemathesis cannot be had; `--keep` leaves what was said.
 */

const SCHEMATHESIS = "schemathesis>=4.32,<5";
const cache = join(repositoryRoot, "node_modules", ".cache", "fuzz");
const program = join(cache, "venv", "bin", "schemathesis");
const CHECKS = ["documented_problem", "status_code_conformance", "content_type_conformance", "response_schema_conformance"];

const { values } = parseArgs({
  options: {
    examples: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    long: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    phases: { type: "string", default: "examples,coverage,fuzzing" },
    keep: { type: "boolean", default: false },
  },
});

/** Why there is no schemathesis, or undefined where there is one. */
function missing(): string | undefined {
  if (existsSync(program)) return undefined;
  mkdirSync(cache, { recursive: true });
  const venv = spawnSync("python3", ["-m", "venv", join(cache, "venv")], { encoding: "utf8" });
  if (venv.error !== undefined || venv.status !== 0) return "there is no python3 that makes a venv";
  console.error(`installing ${SCHEMATHESIS} into ${join(cache, "venv")}`);
  const pip = spawnSync(join(cache, "venv", "bin", "pip"), ["install", "--quiet", SCHEMATHESIS], { encoding: "utf8" });
  if (pip.status === 0) return undefined;
  rmSync(join(cache, "venv"), { recursive: true, force: true });
  return `pip cannot install schemathesis: ${pip.stderr.trim().split("\n").at(-1)}`;
}

interface Run {
  readonly folder: string;
  readonly token: string;
  readonly url: string;
  readonly document: OpenApi;
}

function argumentsOf({ folder, token, url, document }: Run): string[] {
  const endless = Object.values(document.paths)
    .flatMap((methods) => Object.values(methods))
    .filter(isEndless);
  return [
    "run",
    join(folder, "openapi.json"),
    ...["--url", url, "--header", `Authorization: Bearer ${token}`, "--seed", values.seed, "--no-color"],
    ...["--checks", CHECKS.join(","), "--mode", "all", "--phases", values.phases],
    ...["--max-examples", values.examples ?? (values.long ? "300" : "50")],
    ...["--continue-on-failure", "--no-shrink", "--generation-database", "none", "--suppress-health-check", "all"],
    ...[
      "--warnings",
      "off",
      "--request-timeout",
      "45", // to stop a graph may take 30 s
      "--report",
      "ndjson",
      "--report-ndjson-path",
      join(folder, "report.ndjson"),
    ],
    ...endless.flatMap(({ operationId }) => ["--exclude-operation-id", operationId]),
    ...values.only.flatMap((operationId) => ["--include-operation-id", operationId]),
  ];
}

async function run(args: readonly string[], folder: string, env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program, args, {
    cwd: folder,
    timeout: values.long ? 3_600_000 : 240_000,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...env, SCHEMATHESIS_HOOKS: join(repositoryRoot, "scripts", "fuzz", "checks.py") },
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("exit", (status) => resolve(status ?? 1));
  return promise;
}

/** What the node itself said of its defects: where each arose, and how often. */
function defects(): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of folder.lines("log")) {
    const { err, msg } = JSON.parse(line) as { err?: { stack?: string }; msg: string };
    if (!msg.includes("met a defect")) continue;
    const what = err?.stack?.split("\n").slice(0, 6).join("\n") ?? msg;
    found.set(what, (found.get(what) ?? 0) + 1);
  }
  return found;
}

const reason = missing();
if (reason !== undefined) {
  console.log(`skipped: ${reason}`);
  process.exit(0);
}
console.error(`seed ${values.seed}`);
using folder = tempFolder();
const env = { ...process.env };
{
  await using subject = await fuzzedGateway({ logger: errorsTo(folder.file("log")) });
  // What is drawn at random may name a program or a file: it finds none of this machine's.
  process.env.PATH = folder.path;
  process.chdir(folder.path);
  const document = await documentOf(subject);
  writeFileSync(folder.file("openapi.json"), JSON.stringify(document));
  const { token, url } = subject.gateway;
  process.exitCode = await run(argumentsOf({ folder: folder.path, token, url, document }), folder.path, env);
}
for (const [stack, count] of defects()) console.log(`\n${count} times: ${stack}`);
if (values.keep) for (const name of ["report.ndjson", "log"]) copyFileSync(folder.file(name), join(cache, name));
process.chdir(repositoryRoot);
