import { MAX_RECORD_BYTES } from "../codec/codec.ts";
import { codecs } from "../codec/codecs.ts";
import { streamError } from "../errors.ts";
import type { GraphNode } from "../graph/form.ts";
import type { Launch } from "../program/child.ts";
import { commandWords } from "../program/command.ts";
import { FusedStage } from "../program/fused-stage.ts";
import { bufferingWarning, goodExitsOf } from "../program/known.ts";
import { launchOf } from "../program/launch.ts";
import { PairingStage } from "../program/pairing-stage.ts";
import { pipelineOf } from "../program/pipeline.ts";
import type { Program } from "../program/program.ts";
import { programSource } from "../program/program-source.ts";
import { QuietStage } from "../program/quiet-stage.ts";
import { RunStage } from "../program/run-stage.ts";
import { sandboxOf } from "../program/sandbox.ts";
import { protocolSource } from "../protocol/protocol-source.ts";
import { ProtocolStage } from "../protocol/protocol-stage.ts";
import { resolveFailurePolicy } from "../stage/failure.ts";
import type { Action, OpenFused, SourceHost, Stage, StageHost } from "../stage/stage.ts";

const RUN_BYTES = 12 * 1_024 * 1_024;
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
  const program: Program = {
    // What speaks the protocol is not cut into records.
    codec: codecs[codecName === "metanode" ? "frames" : codecName],
    policy: resolveFailurePolicy(node),
    maxRecordBytes: MAX_RECORD_BYTES,
    goodExits: goodExitsOf(words[0]),
    launch: (host) => launch(node, words, host),
  };
  const { missing } = sandboxOf(node);
  if (codecName === "metanode") {
    return {
      warnings: missing,
      source: (host) => protocolSource(program, host),
      stage: (host) => new ProtocolStage(program, host),
    };
  }
  const replay = node.replay ?? "journal";
  const action: Action = {
    source: (host) => programSource(program, host, { reruns: replay === "rerun" }),
    replays: replay === "rerun",
    stage: (host) => stageOf(node, program, host),
    holdsEverything: kindOf(node) === "end",
    fuse: (followers) => fusedWith({ node, program }, followers),
    warnings: [...warningsOf(node, words), ...missing],
  };
  joinable.set(action, { node, program });
  return action;
}

/** What is behind an action that is a program. */
interface ProgramNode {
  readonly node: GraphNode;
  readonly program: Program;
}

const joinable = new WeakMap<Action, ProgramNode>();

/** Programs that run over batches can share a run, where records look the same to all of them. */
function fusedWith(first: ProgramNode, followers: readonly Action[]): OpenFused | undefined {
  const kind = kindOf(first.node);
  const programs: [Program, ...Program[]] = [first.program];
  if (first.node.fuse === false || (kind !== "exit" && kind !== "end")) return undefined;
  for (const follower of followers) {
    const next = joinable.get(follower);
    if (next === undefined || next.node.fuse === false || kindOf(next.node) !== kind) return undefined;
    if (next.program.codec !== first.program.codec) return undefined;
    programs.push(next.program);
  }
  return (row) => {
    const [host, ...others] = row.hosts;
    const last = others.at(-1) ?? host;
    const fused = stageOf(first.node, pipelineOf(programs, row.hosts), { ...host, outlet: last.outlet });
    return new FusedStage(row, fused);
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
