import type { CommandSpec } from "../command.ts";
import { WATCH } from "./watch.ts";

/** Commands about a node as a whole. */
export const nodeCommands: readonly CommandSpec[] = [
  {
    path: "up",
    summary: "start a node here, in the foreground",
    details: "Ctrl-C, SIGTERM or `metanode down` lets it finish what it has; a second one ends it at once.",
    options: [
      {
        flags: "--config <file>",
        summary: "configuration (default metanode.config.ts or .js, metanode.yaml or .yml, where there is one)",
        complete: "file",
      },
      { flags: "--host <address>", summary: "address to listen on (default 127.0.0.1)" },
      { flags: "--port <number>", summary: "port to listen on, 0 for any free one (default 7400)", kind: "count" },
      { flags: "--name <name>", summary: "name of the node" },
      { flags: "--log-level <level>", summary: "trace, debug, info, warn, error, fatal or silent" },
      { flags: "--print-config", summary: "print the configuration and where each value comes from, and end" },
    ],
    examples: [
      { line: "up", does: "a node on ./.metanode at http://127.0.0.1:7400" },
      { line: "up --config shop.config.ts --port 7401", does: "another one beside it" },
      { line: "up --print-config", does: "what it would run with" },
    ],
    load: () => import("../run/up.ts"),
  },
  {
    path: "down",
    summary: "stop the node of the data folder on this machine, and wait until it has stopped",
    details: "It finishes what it has. Ends with status 3 if none runs, with 7 if it still does after the timeout.",
    options: [{ flags: "--timeout <duration>", summary: "how long to wait (default 30s)", kind: "duration" }],
    examples: [
      { line: "down", does: "stop the node of ./.metanode" },
      { line: "down --data /var/lib/metanode --timeout 1m", does: "another one, that may take its time" },
    ],
    load: () => import("../run/down.ts"),
  },
  {
    path: "status",
    summary: "show the node, its health, processors, types with their rates, backlog and dead letters",
    options: [WATCH, { flags: "--interval <duration>", summary: "the same as the value of --watch", kind: "duration" }],
    examples: [
      { line: "status", does: "how the node does now" },
      { line: "status --watch 1s", does: "keep looking" },
      { line: "status -o json", does: "the same for programs" },
    ],
    load: () => import("../run/status.ts"),
  },
  {
    path: "console",
    summary: "print the address of the node's web console, with the token in it",
    details: "The token stands behind #, so the browser sends it to nobody; whoever has the address has the token.",
    options: [
      { flags: "--open", summary: "and open it in the browser, at a terminal" },
      { flags: "--no-open", summary: "only print it (the default)" },
    ],
    examples: [
      { line: "console", does: "the address, to open it yourself" },
      { line: "console --open", does: "print it and open it" },
    ],
    load: () => import("../run/console.ts"),
  },
  {
    path: "doctor",
    summary: "look for what is wrong on this machine and with its node, and say what to do",
    details: "Ends with status 1 if something is wrong; warnings alone do not count.",
    examples: [
      { line: "doctor", does: "check this machine and the node of ./.metanode" },
      { line: "doctor --data /var/lib/metanode -o json", does: "check another data folder, for programs" },
    ],
    load: () => import("../run/doctor.ts"),
  },
];
