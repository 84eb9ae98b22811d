import { MAX_RECORD_BYTES } from "../codec/codec.ts";
import { codecs } from "../codec/codecs.ts";
import { streamError } from "../errors.ts";
import type { GraphNode } from "../graph/form.ts";
import { resolveFailurePolicy } from "../stage/failure.ts";
import type { Action, SourceHost, Stage, StageHost } from "../stage/stage.ts";
import type { Launch } from "./child.ts";
import { commandWords } from "./command.ts";
import { bufferingWarning, goodExitsOf } from "./known.ts";
import { launchOf } from "./launch.ts";
import { PairingStage } from "./pairing-stage.ts";
import type { Program } from "./program.ts";
import { programSource } from "./program-source.ts";
import { QuietStage } from "./quiet-stage.ts";
import { RunStage } from "./run-stage.ts";

const RUN_BYTES = 8 * 1_024 * 1_024;
const RUN_MS = 1_000;
const QUIET_MS = 200;

/** How a program is to be started, where that is more than its words. */
export type LaunchProgram = (node: GraphNode, words: readonly [string, ...string[]], host: SourceHost) => Launch;

/**
 * The program that a node names in `command` as an action: a source where nothing feeds it, else a stage whose kind follows
 * from its codec, from `answers` and from `settle`.
 * @throws {MetanodeError} stream.graph – the command or the settings are wrong.
 */
export function programAction(node: GraphNode, launch: LaunchProgram = launchOf): Action {
  const { command, args = [] } = node;
  if (command === undefined) throw streamError("stream.graph", `${node.name} names no command`);
  const words: [string, ...string[]] = [...commandWords(command), ...args];
  const codecName = node.codec ?? "lines";
  if (codecName === "metanode") throw streamError("stream.graph", `${node.name}: the codec metanode is for uploaded actions`);
  const program: Program = {
    codec: codecs[codecName],
    policy: resolveFailurePolicy(node),
    maxRecordBytes: MAX_RECORD_BYTES,
    goodExits: goodExitsOf(words[0]),
    launch: (host) => launch(node, words, host),
  };
  const replay = node.replay ?? "journal";
  return {
    source: (host) => programSource(program, host, { reruns: replay === "rerun" }),
    replays: replay === "rerun",
    stage: (host) => stageOf(node, program, host),
    holdsEverything: kindOf(node) === "end",
    warnings: warningsOf(node, words),
  };
}

/** What decides when an input of a program is done. */
type Kind = "one" | "exit" | "quiet" | "end";

function kindOf({ codec = "lines", answers, settle = "exit" }: GraphNode): Kind {
  if ((answers ?? (codec === "frames" ? "one" : "any")) === "one") return "one";
  return settle;
}

function stageOf(node: GraphNode, program: Program, host: StageHost): Stage {
  const { runBytes = RUN_BYTES, runMs = RUN_MS, quietMs = QUIET_MS } = node;
  switch (kindOf(node)) {
    case "one":
      return new PairingStage(program, host);
    case "quiet":
      return new QuietStage(program, host, { quietMs });
    case "end":
      return new RunStage(program, host, { runBytes: Number.POSITIVE_INFINITY, runMs: Number.POSITIVE_INFINITY });
    case "exit":
      return new RunStage(program, host, { runBytes, runMs });
  }
}

function warningsOf(node: GraphNode, words: readonly [string, ...string[]]): string[] {
  const kind = kindOf(node);
  const warnings: (string | undefined)[] = [];
  if (kind === "one" || kind === "quiet") warnings.push(bufferingWarning(node.name, words));
  if (kind === "quiet") {
    const hint = "records on which it thinks for longer are lost if it dies meanwhile";
    warnings.push(`${node.name}: inputs count as done after ${node.quietMs ?? QUIET_MS} ms without output; ${hint}`);
  }
  return warnings.filter((warning) => warning !== undefined);
}
