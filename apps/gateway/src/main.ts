/** The gateway as a program: `node main.ts --help`. The only file that speaks to the terminal, to signals and to the process. */
import { enableCompileCache, flushCompileCache } from "node:module";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import type { MetanodeError } from "@metanode/core";
import type { Gateway } from "./compose.ts";
import type { GatewayConfig, LogLevel } from "./config/types.ts";

// Everything else is loaded after this line, so that from the second start on it comes from the cache.
const { directory } = enableCompileCache();
if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory; // for worker threads
const { coreError, errorRow } = await import("@metanode/core");
const { asMetanodeError, nearest } = await import("@metanode/core/internal");
const { giveBackMemory } = await import("@metanode/core/internal/memory");
const { openGateway } = await import("./compose.ts");
const { printConfig } = await import("./config/print.ts");
const { loadConfig } = await import("./config.ts");
const { TOKEN_FILE } = await import("./token.ts");

const FLAGS = {
  config: { type: "string" },
  data: { type: "string" },
  host: { type: "string" },
  port: { type: "string" },
  name: { type: "string" },
  "log-level": { type: "string" },
  "print-config": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const HELP = `Runs a meta node with its HTTP face until it is told to stop (Ctrl-C, SIGTERM).

  --config <file>       configuration; else metanode.config.ts, .js, metanode.yaml or .yml in the working directory
  --data <folder>       data folder (default .metanode)
  --host <address>      address to listen on (default 127.0.0.1)
  --port <number>       port to listen on, 0 for any free one (default 7400)
  --name <name>         name of the node (default node)
  --log-level <level>   trace, debug, info, warn, error, fatal or silent (default info)
  --print-config        print the configuration and where each value comes from, secrets hidden, and end
  --help                this text

Every setting is also an environment variable: listen.port is METANODE_LISTEN_PORT.

Example: node main.ts --data /var/lib/metanode --port 8080
`;

type Flags = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>["values"];

function readFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: false }).values;
  } catch (cause) {
    const word = /'-{1,2}([^' ]+)/.exec((cause as Error).message)?.[1] ?? "";
    const near = nearest(word, Object.keys(FLAGS));
    const hint = near === undefined || near === word ? "--help lists the flags" : `did you mean --${near}?`;
    throw coreError("usage.invalid", `${(cause as Error).message.split(". ", 1)[0]}; ${hint}`, { cause });
  }
}

function configOf(flags: Flags): GatewayConfig {
  const { data, name, host } = flags;
  // A port that is no number goes on as it is: the check of the configuration says what is wrong with it.
  const port = flags.port !== undefined && /^\d+$/.test(flags.port) ? Number(flags.port) : (flags.port as number | undefined);
  const listen = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
  const level = flags["log-level"] as LogLevel | undefined;
  return {
    ...(data === undefined ? {} : { data }),
    ...(name === undefined ? {} : { name }),
    listen,
    ...(level === undefined ? {} : { log: { level } }),
  };
}

/**
 * The first signal drains, the second closes at once; that whoever started this with a channel (as `metanode up` does) is gone drains as well. A gateway that is still opening is drained as soon as it can be. */
class Stopper {
  #signals = 0;
  #gateway: Gateway | undefined;

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => this.#onSignal(signal));
    process.once("disconnect", () => this.#onOrphaned());
    if (process.connected === false) this.#onOrphaned(); // while this was loaded
  }

  serve(gateway: Gateway): void {
    this.#gateway = gateway;
    if (this.#signals > 0) void gateway.drain();
  }

  #onOrphaned(): void {
    if (this.#signals > 0) return; // it stops already, and is in no hurry
    this.#signals++;
    this.#gateway?.node.logger.info("stopping: the process that started this one is gone");
    void this.#gateway?.drain();
  }

  #onSignal(signal: NodeJS.Signals): void {
    this.#signals++;
    const isFirst = this.#signals === 1;
    const gateway = this.#gateway;
    gateway?.node.logger.info({ signal }, isFirst ? "stopping; a second signal stops at once" : "stopping at once");
    if (isFirst) void gateway?.drain();
    else if (gateway !== undefined) void gateway.close();
    else process.exit(errorRow("call.cancelled").exit);
  }
}

async function run(args: readonly string[]): Promise<MetanodeError | undefined> {
  const flags = readFlags(args);
  if (flags.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const config = await loadConfig({ options: configOf(flags), ...(flags.config === undefined ? {} : { file: flags.config }) });
  if (flags["print-config"]) {
    process.stdout.write(printConfig(config));
    return undefined;
  }
  const { token, ...values } = config.values;
  const stopper = new Stopper();
  const gateway = await openGateway({ ...values, ...(token === undefined ? {} : { token }) });
  stopper.serve(gateway);
  giveBackMemory({ until: gateway.closed });
  const data = relative(process.cwd(), values.data) || ".";
  const shown = data.startsWith("..") ? values.data : data;
  const where = token === undefined ? `token in ${shown}/${TOKEN_FILE}` : "token as configured";
  process.stdout.write(`metanode ready at ${gateway.url} (data ${shown}, ${where})\n`);
  flushCompileCache(); // whoever is killed later has it as well
  return gateway.closed;
}

let failure: MetanodeError | undefined;
try {
  failure = await run(process.argv.slice(2));
} catch (error) {
  failure = asMetanodeError(error);
}
if (failure !== undefined) process.stderr.write(`error ${failure.code}: ${failure.message.replaceAll("\n", " ")}\n`);
process.exit(failure === undefined ? 0 : errorRow(failure.code).exit);
