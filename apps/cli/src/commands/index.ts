import type { CommandTable } from "../command.ts";
import { accessCommands } from "./access.ts";
import { actorCommands } from "./actors.ts";
import { contextCommands } from "./contexts.ts";
import { deadLetterCommands } from "./dead-letters.ts";
import { deployCommands } from "./deploy.ts";
import { helpCommands, hiddenCommands } from "./help.ts";
import { instanceCommands } from "./instances.ts";
import { messageCommands } from "./messages.ts";
import { metaCommands } from "./metas.ts";
import { nodeCommands } from "./node.ts";
import { processorCommands } from "./processors.ts";
import { registryCommands } from "./registry.ts";
import { streamCommands } from "./streams.ts";
import { taskCommands } from "./tasks.ts";
import { hostCommands, joinCommands, treeCommands } from "./tree.ts";

/** Every command. Help, completion scripts and the README say what stands here. */
export const commandTable: CommandTable = {
  groups: [
    { title: "Node", commands: nodeCommands },
    { title: "Access", commands: accessCommands },
    { title: "The tree", commands: [...treeCommands, ...joinCommands, ...hostCommands, ...deployCommands] },
    { title: "Messages", commands: messageCommands },
    { title: "Processors", commands: processorCommands },
    { title: "Actors", commands: actorCommands },
    { title: "Streams", commands: streamCommands },
    { title: "Dead letters", commands: deadLetterCommands },
    { title: "Workflows", commands: [...registryCommands, ...metaCommands, ...instanceCommands, ...taskCommands] },
    { title: "This machine", commands: [...contextCommands, ...helpCommands] },
  ],
  families: [
    { word: "token", summary: "give others a token with a role, and take it back" },
    { word: "run", summary: "pause, resume or withdraw a message for all nodes that runs" },
    { word: "join", summary: "let nodes come: tokens, approval, and what was done" },
    { word: "host", summary: "look at the host of a node, run programs there, copy files, mind its units" },
    { word: "deploy", summary: "bring the nodes of a topology into being, wherever they run, and look after them" },
    { word: "processor", summary: "look at processors, add, replace, scale and check them" },
    { word: "actor", summary: "look at actors and their meta-processes, send to them, ask and end them" },
    { word: "stream", summary: "plan, run, watch and change graphs of programs" },
    { word: "action", summary: "see what stages of graphs can run" },
    { word: "dead-letter", summary: "read, edit, replay and drop the messages that were given up on" },
    { word: "meta", summary: "read and change what is declared on a node; check, draw and convert declarations" },
    { word: "relation", summary: "read and change the relations between metas" },
    { word: "instance", summary: "put instances in, look at them, and at where they came from and went to" },
    { word: "task", summary: "see the work that waits, and replay or drop what failed" },
    { word: "context", summary: "name several nodes and switch between them" },
  ],
  // Before or after a command's own words. `--no-color` and `--help` are the parser's.
  globalOptions: [
    { flags: "--url <url>", summary: "address of the node (METANODE_URL)" },
    { flags: "--token <token>", summary: "bearer token of the node (METANODE_TOKEN)" },
    {
      flags: "--data <folder>",
      summary: "data folder of a node on this machine (METANODE_DATA; default .metanode)",
      complete: "file",
    },
    {
      flags: "--context <name>",
      summary: "a node by the name that `metanode context set` gave it",
      complete: "context",
    },
    { flags: "-o, --output <format>", summary: "form of the data", choices: ["table", "json", "yaml"] },
    { flags: "-v, --verbose", summary: "say on standard error what is asked of the node" },
  ],
  hidden: hiddenCommands,
};
