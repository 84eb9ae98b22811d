/** The agent as a program: `node main.ts --help`. */
import { enableCompileCache } from "node:module";
import { parseArgs } from "node:util";
import type { AgentConfig } from "./config.ts";

// Everything else is loaded after this line, so that from the second start on it comes from the cache.
enableCompileCache();
const { coreError, errorRow } = await import("@metanode/core");
const { asMetanodeError } = await import("@metanode/core/internal");
const { giveBackMemory } = await import("@metanode/core/internal/memory");
const { openAgent } = await import("./agent.ts");
const { readConfig } = await import("./config.ts");

const FLAGS = {
  join: { type: "string" },
  token: { type: "string" },
  config: { type: "string" },
  data: { type: "string" },
  name: { type: "string" },
  label: { type: "string", multiple: true },
  version: { type: "string" },
  listen: { type: "string" },
  advertise: { type: "string" },
  nats: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const HELP = `Runs a node that another one manages, until it is told to stop (Ctrl-C, SIGTERM).

  --join <host:port>     the node that is to manage it (default: the address in the token)
  --token <token>        from \`metanode join token\` there; without one it waits for approval
  --config <file>        processors, rules of what may be done to this host, and all that the flags say
  --data <folder>        data folder (default .metanode-agent)
  --name <name>          name of the node (default: that of the host)
  --label <key=value>    what selectors go by; may be given again
  --version <version>    of what it runs, for selectors
  --listen <host:port>   where nodes below this one dial it
  --advertise <host:port>  and the address that they dial, if it is another
  --nats <url>           a server of NATS, for addresses of the form nats:<name>
  --help                 this text

The token can also stand in METANODE_AGENT_TOKEN, the server in METANODE_AGENT_NATS, where no list of processes shows it.

Example: metanode agent --join 10.0.0.5:7401 --token mnt1.… --label region=eu
`;

type Flags = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>["values"];

function readFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: false }).values;
  } catch (cause) {
    throw coreError("usage.invalid", `${(cause as Error).message.split(". ", 1)[0]}; --help lists the flags`, { cause });
  }
}

function labelsOf(given: readonly string[] | undefined): Record<string, string> | undefined {
  if (given === undefined) return undefined;
  const pairs = given.map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw coreError("usage.invalid", `--label is ${JSON.stringify(text)}, expected key=value`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

async function configOf(flags: Flags): Promise<AgentConfig> {
  const {
    config: file,
    label,
    help: _help,
    token = process.env.METANODE_AGENT_TOKEN,
    nats = process.env.METANODE_AGENT_NATS,
    ...rest
  } = flags;
  const labels = labelsOf(label);
  return {
    ...(file === undefined ? {} : await readConfig(file)),
    ...rest,
    ...(token === undefined ? {} : { token }),
    ...(nats === undefined ? {} : { nats }),
    ...(labels === undefined ? {} : { labels }),
  };
}

/** The first signal drains, the second drops; so does the end of whoever started this with a channel. */
async function run(flags: Flags): Promise<void> {
  const agent = await openAgent(await configOf(flags));
  giveBackMemory({ until: agent.node.closed });
  let signals = 0;
  const stop = (): void => {
    signals++;
    if (signals === 1) void agent.node.drain();
    else void agent.node.close();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  process.once("disconnect", stop);
  if (process.connected === false) stop();
  const failure = await agent.node.closed;
  if (failure !== undefined) throw failure;
}

try {
  const flags = readFlags(process.argv.slice(2));
  if (flags.help) process.stdout.write(HELP);
  else await run(flags);
  process.exit(0);
} catch (error) {
  const { code, message } = asMetanodeError(error);
  process.stderr.write(`error ${code}: ${message}\n`);
  process.exit(errorRow(code).exit);
}
