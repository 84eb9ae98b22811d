import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";
import { WATCH } from "./watch.ts";

const NODE: ArgumentSpec = { usage: "<node>", summary: "path of the node in the tree, such as /root/eu/n7" };
const UNDER: OptionSpec = {
  flags: "--under <node>",
  summary: "the node that does it: a path or an id (default: the node itself)",
};
const WHERE: OptionSpec = { flags: "--where <selector>", summary: "only nodes that fit, such as 'region=eu & type=order.price'" };

/** Commands about the nodes below a node. */
export const treeCommands: readonly CommandSpec[] = [
  {
    path: "tree",
    summary: "show the nodes below the node, with their states and labels",
    options: [WHERE, { flags: "--depth <count>", summary: "only so many levels", kind: "count" }, UNDER, WATCH],
    examples: [
      { line: "tree", does: "all nodes, as they are now" },
      { line: "tree --where region=eu", does: "those in one region" },
      { line: "tree -w 1s", does: "and how that changes" },
    ],
    load: () => import("../run/tree.ts"),
  },
  {
    path: "adopt",
    summary: "adopt the node that made a token of purpose adopt",
    arguments: [{ usage: "<token>", summary: "from `metanode join token --purpose adopt` there" }],
    options: [
      { flags: "--as <name>", summary: "its name here (default: its own)" },
      { flags: "--force", summary: "take it from a manager that has not let it go" },
      UNDER,
    ],
    examples: [{ line: "adopt mnt1.eyJhIjoi… --as eu", does: "it lives at /<this node>/eu from now on" }],
    load: async () => ({ run: (await import("../run/members.ts")).adopt }),
  },
  {
    path: "release",
    summary: "let a node go; it goes on alone, with all that is below it",
    arguments: [NODE],
    options: [
      { flags: "--drain <duration>", summary: "how long to wait for what is under way (default 10s)", kind: "duration" },
      { flags: "--force", summary: "also if it has not finished, or cannot be reached" },
    ],
    examples: [{ line: "release /root/eu --drain 1m", does: "when it has answered what it was asked" }],
    load: async () => ({ run: (await import("../run/members.ts")).release }),
  },
  {
    path: "move",
    summary: "put a node, with all that is below it, under another node of the tree",
    arguments: [NODE, { usage: "<to>", summary: "path of its new manager" }],
    examples: [{ line: "move /root/eu/n7 /root/us", does: "it lives at /root/us/n7 then" }],
    load: async () => ({ run: (await import("../run/members.ts")).move }),
  },
  {
    path: "standby",
    summary: "show who takes the place of a node when it is lost, or name the child that is to",
    arguments: [{ usage: "[node]", summary: "path of the child; its manager's children will go to it" }],
    options: [
      { flags: "--none", summary: "nobody, from now on" },
      { flags: "--hand-over", summary: "the child that stands by takes the place now, while the node works" },
      UNDER,
    ],
    examples: [
      { line: "standby --hand-over", does: "the root becomes a child of its standby, so that it can be upgraded" },
      { line: "standby /root/spare", does: "spare takes the place of /root when that is lost for as long as its lease" },
      { line: "standby", does: "whether it is ready" },
    ],
    load: async () => ({ run: (await import("../run/members.ts")).standby }),
  },
  {
    path: "label",
    summary: "set labels of a node, or take them away",
    arguments: [NODE, { usage: "<labels...>", summary: "name=value sets one, name- takes it away" }],
    examples: [{ line: "label /root/eu/n7 rack=r3 old-", does: "one more and one less" }],
    load: async () => ({ run: (await import("../run/members.ts")).label }),
  },
  {
    path: "all",
    summary: "send a message to every node, and show what each answers as it comes",
    details: "Ends with status 8 if the policy is not met. Ctrl-C withdraws what is open, everywhere.",
    arguments: [
      { usage: "<type>", summary: "type of the message", complete: "type" },
      { usage: "[data]", summary: "payload as JSON, @file, or - for standard input" },
    ],
    options: [
      WHERE,
      { flags: "--policy <policy>", summary: "all, any, none, best-effort, a count, or a percentage such as 90% (default all)" },
      { flags: "--timeout <duration>", summary: "how long it may take (default 30s)", kind: "duration" },
      { flags: "--batch <count>", summary: "so many at a time, the next when all have ended", kind: "count" },
      { flags: "--parallel <count>", summary: "so many at a time, the next when one has ended", kind: "count" },
      { flags: "--canary <count>", summary: "so many first, and nobody else if one of them fails", kind: "count" },
      { flags: "--max-failures <count>", summary: "failures after which nobody else is asked", kind: "count" },
      {
        flags: "--reduce <how>",
        summary: "reduce at every level",
        choices: ["count", "sum", "min", "max", "histogram", "numbers"],
      },
      { flags: "--depth <count>", summary: "only so many levels", kind: "count" },
      { flags: "--include-maintenance", summary: "nodes in maintenance as well" },
      { flags: "--skip-self", summary: "not the node itself" },
      { flags: "--dry-run", summary: "only say who would be asked" },
      { flags: "--operation <id>", summary: "an id of your own: repeated, nothing is done again where it was done" },
      UNDER,
    ],
    examples: [
      { line: "all metanode.node.ping", does: "who is there" },
      { line: "all cache.clear --where region=eu --batch 10 --max-failures 3", does: "carefully" },
      { line: "all stats.requests --reduce sum", does: "one number of them all" },
    ],
    load: () => import("../run/all.ts"),
  },
  ...["pause", "resume", "cancel"].map((action) => ({
    path: `run ${action}`,
    summary: { pause: "ask nobody new for now", resume: "go on with who is left", cancel: "withdraw what is open" }[action] ?? "",
    arguments: [{ usage: "<operation>", summary: "id of the run, as `metanode all` says it" }],
    options: [UNDER],
    examples: [{ line: `run ${action} update-7`, does: `the run of \`metanode all … --operation update-7\`` }] as const,
    load: async () => ({ run: (await import("../run/run-control.ts")).control(action) }),
  })),
  {
    path: "maintain",
    summary: "let a node, or a part of it, take nothing new for a while, or end that",
    arguments: [
      { usage: "<node>", summary: "path of the node" },
      { usage: "<state>", summary: "on to enter, off to leave", choices: ["on", "off"] },
    ],
    options: [
      { flags: "--member <name>", summary: "one member of it, such as a processor" },
      { flags: "--subtree", summary: "all nodes below it as well" },
      { flags: "--whole-host", summary: "all nodes on the same host as well" },
      { flags: "--reason <text>", summary: "why, for others" },
      { flags: "--expires <duration>", summary: "after how long somebody is to be told (default 1h)", kind: "duration" },
      { flags: "--wait <duration>", summary: "until what was taken is done, at most so long", kind: "duration" },
      { flags: "--force", summary: "beyond the limit of nodes in maintenance" },
    ],
    examples: [
      { line: "maintain /root/eu/n7 on --reason 'new disk' --wait 30s", does: "and wait until it is drained" },
      { line: "maintain /root/eu/n7 off", does: "it takes messages again" },
    ],
    load: () => import("../run/maintain.ts"),
  },
  {
    path: "rollout",
    summary: "run a command for one node after the other, each in maintenance while it runs",
    details:
      "For each: enter maintenance, wait until it is drained, run the command, wait until the node answers, leave. The first failure ends it, and the rest stay as they were.",
    arguments: [
      { usage: "<command...>", summary: "the program and its arguments, after --; {path}, {name} and {id} stand for the node" },
    ],
    options: [
      WHERE,
      { flags: "--drain <duration>", summary: "longest wait for a node to drain (default 1m)", kind: "duration" },
      { flags: "--ready <duration>", summary: "longest wait for a node to answer again (default 1m)", kind: "duration" },
      { flags: "--reason <text>", summary: "why, for others (default: the command)" },
      UNDER,
    ],
    examples: [{ line: "rollout --where version=1 -- ssh {name} systemctl restart app", does: "a rolling restart" }],
    load: () => import("../run/rollout.ts"),
  },
  {
    path: "agent",
    summary: "run a node without a face of its own, that another one manages, in the foreground",
    options: [
      { flags: "--join <address>", summary: "the node that is to manage it, host:port (default: the address in the token)" },
      { flags: "--with-token <token>", summary: "from `metanode join token` there (METANODE_AGENT_TOKEN); also --token" },
      { flags: "--config <file>", summary: "processors, and rules of what may be done to this host", complete: "file" },
      { flags: "--name <name>", summary: "name of the node (default: that of the host)" },
      { flags: "--label <key=value>", summary: "what selectors go by; may be given again", kind: "pairs" },
      { flags: "--runs <version>", summary: "version of what it runs, for selectors" },
      { flags: "--listen <address>", summary: "where nodes below this one dial it, host:port" },
      { flags: "--advertise <address>", summary: "and the address that they dial, if it is another" },
      { flags: "--nats <url>", summary: "a server of NATS, for addresses of the form nats:<name> (METANODE_AGENT_NATS)" },
    ],
    examples: [
      {
        line: "agent --join 10.0.0.5:7401 --token mnt1.eyJhIjoi… --label region=eu",
        does: "a node of 10.0.0.5, in the region eu",
      },
      { line: "agent --join 10.0.0.5:7401", does: "ask, and wait until somebody approves" },
    ],
    load: () => import("../run/agent.ts"),
  },
];

/** Commands about nodes that come. */
export const joinCommands: readonly CommandSpec[] = [
  {
    path: "join token",
    summary: "make a token with which another node can come",
    options: [
      {
        flags: "--purpose <purpose>",
        summary: "join: the bearer becomes a child; adopt: the manager",
        choices: ["join", "adopt"],
      },
      { flags: "--ttl <duration>", summary: "how long it can be used (default 1h)", kind: "duration" },
      { flags: "--uses <count>", summary: "nodes that may use it (default 1)", kind: "count" },
      UNDER,
    ],
    examples: [
      { line: "join token --ttl 10m --uses 20", does: "for twenty agents" },
      { line: "join token --purpose adopt", does: "for a node that is to manage this one" },
    ],
    load: async () => ({ run: (await import("../run/join.ts")).token }),
  },
  {
    path: "join ls",
    summary: "list the tokens that can still be used",
    options: [UNDER],
    examples: [{ line: "join ls", does: "without their secrets" }],
    load: async () => ({ run: (await import("../run/join.ts")).list }),
  },
  {
    path: "join revoke",
    summary: "make a token useless; nodes that have come with it stay",
    arguments: [{ usage: "<id>", summary: "as `metanode join ls` says it" }],
    options: [UNDER],
    examples: [{ line: "join revoke 1f0c2a9b3d4e", does: "nobody comes with it any more" }],
    load: async () => ({ run: (await import("../run/join.ts")).revoke }),
  },
  {
    path: "join approve",
    summary: "adopt a node that asks for it without a token, or end the quarantine of one",
    arguments: [NODE],
    options: [{ flags: "--as <name>", summary: "its name here (default: its own)" }],
    examples: [{ line: "join approve /root/n7", does: "it is managed from now on" }],
    load: async () => ({ run: (await import("../run/join.ts")).approve }),
  },
  {
    path: "join ask",
    summary: "let the node be managed by another",
    arguments: [{ usage: "<token>", summary: "a token of that node, or its address (host:port), where somebody approves" }],
    examples: [{ line: "join ask mnt1.eyJhIjoi…", does: "this node becomes a child of the one that made it" }],
    load: async () => ({ run: (await import("../run/join.ts")).ask }),
  },
  {
    path: "join audit",
    summary: "show what was done to the tree during the last day, the newest first",
    options: [{ flags: "--limit <count>", summary: "at most so many (default 100)", kind: "count" }, UNDER],
    examples: [{ line: "join audit --limit 20", does: "who did what" }],
    load: async () => ({ run: (await import("../run/join.ts")).audit }),
  },
];

/** Commands about the host of a node. */
export const hostCommands: readonly CommandSpec[] = [
  {
    path: "host facts",
    summary: "show what the host of a node is and how it does",
    arguments: [NODE],
    examples: [{ line: "host facts /root/eu/n7 -o json", does: "system, memory, disks, load" }],
    load: async () => ({ run: (await import("../run/host.ts")).facts }),
  },
  {
    path: "host exec",
    summary: "run a program on the host of a node, as far as its rules allow",
    details: "Output comes as it is written; the exit status is that of the program. Ctrl-C ends it there.",
    arguments: [NODE, { usage: "<command...>", summary: "the program and its arguments, after --" }],
    options: [
      { flags: "--timeout <duration>", summary: "after which its whole process group is ended (default 30s)", kind: "duration" },
      { flags: "--cwd <folder>", summary: "working directory there" },
      { flags: "--env <NAME=value>", summary: "an environment variable; may be given again", kind: "pairs" },
      { flags: "--stdin", summary: "hand standard input over" },
    ],
    examples: [{ line: "host exec /root/eu/n7 -- df -h", does: "its disks" }],
    load: async () => ({ run: (await import("../run/host-exec.ts")).exec }),
  },
  {
    path: "host push",
    summary: "copy a file to the host of a node",
    arguments: [NODE, { usage: "<local>", summary: "file here", complete: "file" }, { usage: "<remote>", summary: "path there" }],
    options: [{ flags: "--mode <mode>", summary: "permissions there, octal (default: as here)" }],
    examples: [{ line: "host push /root/eu/n7 app.tgz /srv/app/app.tgz", does: "checked by its checksum" }],
    load: async () => ({ run: (await import("../run/host-files.ts")).push }),
  },
  {
    path: "host pull",
    summary: "copy a file from the host of a node",
    arguments: [
      NODE,
      { usage: "<remote>", summary: "path there" },
      { usage: "<local>", summary: "file here, - for standard output" },
    ],
    examples: [{ line: "host pull /root/eu/n7 /var/log/app.log app.log", does: "checked by its checksum" }],
    load: async () => ({ run: (await import("../run/host-files.ts")).pull }),
  },
  {
    path: "host unit",
    summary: "start, stop or restart a unit on the host of a node, or see how it does",
    arguments: [
      NODE,
      { usage: "<action>", summary: "what to do", choices: ["start", "stop", "restart", "status"] },
      { usage: "<unit>", summary: "its name" },
    ],
    examples: [{ line: "host unit /root/eu/n7 restart app", does: "of systemd, or declared in the agent's configuration" }],
    load: async () => ({ run: (await import("../run/host.ts")).unit }),
  },
  {
    path: "host log",
    summary: "print the end of a file or of a unit's output on the host of a node",
    arguments: [NODE, { usage: "<log>", summary: "a path, or unit:<name>" }],
    options: [
      { flags: "-f, --follow", summary: "go on with new lines until interrupted" },
      { flags: "--tail <count>", summary: "only the last lines (default 100)", kind: "count" },
    ],
    examples: [{ line: "host log /root/eu/n7 unit:app -f", does: "follow it" }],
    load: async () => ({ run: (await import("../run/host.ts")).log }),
  },
];
