/**
 * The main job of this repository: brings up a node, audits a lockfile with a pool of processes, prints what it found,
 * and keeps the node up. `npm start -- --help` says how to use it.
 */
import { fileURLToPath } from "node:url";
import { coreError, hasCode, toWire } from "@metanode/core";
import type { Gateway } from "@metanode/gateway";
import { audit } from "./audit.ts";
import { type Flags, parseFlags, USAGE } from "./flags.ts";
import type { Inspection } from "./inspect.ts";
import { Ledger, type StateCounts } from "./ledger.ts";
import { countLicences } from "./licences.ts";
import { readLockfile } from "./lockfile.ts";
import { tellTotals } from "./news.ts";
import { createProgress } from "./progress.ts";
import { printable, renderJson, renderText } from "./report.ts";

const DEFAULT_PORT = 7400;
/** What a shell expects of a program that was ended with Ctrl-C. */
const INTERRUPTED = 130;

/** Aborted by the first SIGINT or SIGTERM. */
const stopping = new AbortController();

async function main(args: readonly string[]): Promise<void> {
  const flags = parseFlags(args);
  if (flags.isHelp) {
    process.stdout.write(USAGE);
    return;
  }
  // Read before anything is started: a wrong path is told at once.
  const lockfile = await readLockfile(flags.lockfile);
  const gateway = await openNode(flags);
  onSignals(gateway);
  try {
    const ledger = ledgerOf(gateway);
    await sayTotals(gateway);
    tellTotals(gateway.node, { type: "audit.begun", data: { file: lockfile.file, packages: lockfile.packages.length } });
    const progress = createProgress(process.stderr);
    const result = await audit(gateway.node, lockfile, {
      signal: stopping.signal,
      onOutcome: (data) => {
        tellTotals(gateway.node, { type: "audit.inspected", data });
        ledger.add(data);
      },
      onProgress: (done, total) => progress.update(done, total),
    }).finally(() => progress.end());
    const states = await statesOf(ledger, flags.reviewed);
    await print(flags.isJson ? renderJson(result, states) : renderText(result, states));
    await sayLicences(gateway, result.inspections, flags.data);
    if (flags.isOnce) return;
    say(`node is up at ${gateway.url} – Ctrl-C stops it; try: npx metanode status`);
    say(`its console: ${gateway.url}/console/#token=${gateway.token}`);
    const error = await gateway.closed;
    if (error) throw error;
  } finally {
    await gateway.drain();
  }
}

/** A node with a data folder, the HTTP API, the pool of inspectors, the actor of the totals, and the workflow of the packages. */
async function openNode(flags: Flags): Promise<Gateway> {
  // Loaded only now: it takes most of the start's time, and a wrong flag or lockfile should not have to wait for it.
  const [{ giveBackMemory, openGateway }, { totalsActor }] = await Promise.all([
    import("@metanode/gateway"),
    import("./totals.ts"),
  ]);
  const open = async (port: number): Promise<Gateway> => {
    const gateway = await openGateway({
      name: "lockfile-audit",
      data: flags.data,
      listen: { port },
      log: { level: "warn" },
      processors: [
        {
          name: "lockfile-inspector",
          file: fileURLToPath(new URL("./processor.ts", import.meta.url)),
          processes: flags.processes,
        },
      ],
      actors: [totalsActor(flags.totalsPort)],
      nature: { flows: [fileURLToPath(new URL("./workflow.ts", import.meta.url))] },
    });
    giveBackMemory({ until: gateway.closed });
    return gateway;
  };
  return open(flags.port ?? DEFAULT_PORT).catch((error: unknown) => {
    if (flags.port !== undefined || !hasCode(error, "node.port_in_use")) throw error;
    say(`port ${DEFAULT_PORT} is in use; taking a free one (choose one with --port)`);
    return open(0);
  });
}

function ledgerOf({ nature }: Gateway): Ledger {
  if (nature === undefined) throw coreError("config.invalid", "the node was made without workflows");
  return new Ledger(nature.workflows);
}

/** Where the packages stand, after the reviews; undefined where that cannot be known, which it says: the audit does without. */
async function statesOf(ledger: Ledger, reviewed: readonly string[]): Promise<StateCounts | undefined> {
  try {
    for (const name of await ledger.review(reviewed)) say(`not reviewed: nothing flagged is ${printable(name)}`);
    return await ledger.states();
  } catch (error) {
    say(`no workflow: ${printable(toWire(error).message)}`);
    return undefined;
  }
}

/** Says which licences there are most of, as a graph of Unix programs has counted them; or why it could not. */
async function sayLicences(gateway: Gateway, inspections: readonly Inspection[], data: string): Promise<void> {
  if (inspections.length === 0 || stopping.signal.aborted) return;
  try {
    const counts = await countLicences(gateway, inspections, data);
    const most = counts.slice(0, 5).map(({ licence, packages }) => `${packages} ${printable(licence)}`);
    const others = counts.length > 5 ? ` and ${counts.length - 5} others` : "";
    say(`licences by the graph \`cut; sort; uniq; sort\`: ${most.join(", ")}${others}`);
  } catch (error) {
    say(`no licences by graph: ${printable(toWire(error).message)}`);
  }
}

/** Says where the running totals are; or, where they are not, why: the audit does without. */
async function sayTotals({ node }: Gateway): Promise<void> {
  try {
    say(`running totals at ${await node.call({ type: "audit.address" })}`);
  } catch (error) {
    const [reason = (error as Error).message] = node.health().modules.actors?.reasons ?? [];
    say(`no running totals: ${reason}`);
  }
}

/** The first signal ends the audit or the wait and drains; the second drops what is left. */
function onSignals(gateway: Gateway): void {
  const stop = (): void => {
    if (stopping.signal.aborted) void gateway.close();
    else void gateway.drain();
    stopping.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

/** Resolves when it is written, so that nothing is lost in a pipe when the process ends, or when its reader has enough. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const written = (error?: NodeJS.ErrnoException | null): void => {
      if (error && error.code !== "EPIPE") reject(error);
      else resolve();
    };
    process.stdout.on("error", written);
    process.stdout.write(text, written);
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function exitStatusOf(error: unknown): number {
  if (stopping.signal.aborted) return INTERRUPTED;
  return hasCode(error, "usage.invalid") ? 2 : 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const { code, message } = toWire(error);
  say(`error ${code}: ${printable(message.replace(/\s+/g, " "))}`);
  process.exitCode = exitStatusOf(error);
}
