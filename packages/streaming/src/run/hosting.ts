import { join } from "node:path";
import { streamError } from "../errors.ts";
import { keyReader } from "../record/key.ts";
import { resolveFailurePolicy } from "../stage/failure.ts";
import { Replicas } from "../stage/replicas.ts";
import type { FailedRecord, SourceHost, Stage, StageHost } from "../stage/stage.ts";
import type { RunHost } from "./options.ts";
import type { RunNode } from "./run-node.ts";

/** What a run lends to whatever works at a node. */
export function hostOf(run: RunHost, node: RunNode): SourceHost {
  const { graph, epoch, clock, folder, onLog } = run.options;
  return {
    graph: graph.name ?? "graph",
    node: node.node,
    epoch,
    clock,
    folder: join(folder, node.node.name),
    signal: run.signal,
    log: (level, text) => onLog?.({ node: node.node.name, atMs: clock.now(), level, text }),
    count: (what, by) => node.count(what, by),
  };
}

/**
 * Opens what works at a node: one stage, or several as its replicas.
 * @throws {MetanodeError} stream.action_unknown – its action is a source only; stream.graph – it cannot have replicas.
 */
export async function openStage(run: RunHost, node: RunNode, next: NextOf): Promise<Stage> {
  const alone = await openAlone(run, node);
  if (node.action.fuse === undefined) return alone;
  const row = rowFrom(node, next);
  for (let length = row.length; length > 1; length--) {
    const members = row.slice(0, length) as [RunNode, ...RunNode[]];
    const open = node.action.fuse?.(members.slice(1).map(({ action }) => action));
    if (open === undefined) continue;
    const edges = members.slice(0, -1).flatMap((member) => member.edges);
    return open({
      hosts: members.map((member) => stageHostOf(run, member, 0)) as [StageHost, ...StageHost[]],
      alone,
      others: () => members.slice(1).flatMap(({ stage }) => stage ?? []),
      isWatched: () => edges.some(({ isTapped }) => isTapped),
    });
  }
  return alone;
}

/** The node of a name. */
export type NextOf = (name: string) => RunNode;

/** A node and those that follow it in a row: each feeds the next alone, and the next is fed by it alone. */
export function rowFrom(node: RunNode, next: NextOf): RunNode[] {
  const row = [node];
  for (let last = node; last.edges.length === 1 && (last.node.replicas ?? 1) === 1; ) {
    const follower = next(last.edges[0]?.to ?? "");
    if (follower.upstreams.length !== 1 || (follower.node.replicas ?? 1) !== 1 || follower.node.buffer === "durable") break;
    row.push(follower);
    last = follower;
  }
  return row;
}

async function openAlone(run: RunHost, node: RunNode): Promise<Stage> {
  const { name, replicas = 1, key } = node.node;
  const { stage, keepsState = false } = node.action;
  if (stage === undefined) {
    throw streamError("stream.action_unknown", `${name} is fed by ${node.upstreams.join(", ")}, but its action takes no records`);
  }
  if (keepsState && replicas > 1) {
    throw streamError("stream.graph", `${name} keeps state, so it cannot have ${replicas} replicas; leave \`replicas\` out`);
  }
  const stages: Stage[] = [];
  try {
    for (let replica = 0; replica < replicas; replica++) stages.push(await stage(stageHostOf(run, node, replica)));
  } catch (error) {
    await Promise.allSettled(stages.map((opened) => opened.close()));
    throw error;
  }
  const [only, ...others] = stages as [Stage, ...Stage[]];
  return others.length === 0 ? only : new Replicas([only, ...others], key === undefined ? undefined : keyReader(key));
}

function stageHostOf(run: RunHost, node: RunNode, replica: number): StageHost {
  return {
    ...hostOf(run, node),
    replica,
    upstreams: node.upstreams,
    outlet: node.outlet,
    giveUp: (failed) => giveUp(run, node, failed),
    fail: (error) => run.fail(error),
    wake: () => run.wake(),
    receipt: () => run.quiet.receipt(),
  };
}

async function giveUp(run: RunHost, node: RunNode, failed: FailedRecord): Promise<"done" | "retry"> {
  const { onError } = resolveFailurePolicy(node.node);
  const { name } = node.node;
  const found = failed.error instanceof Error ? failed.error.message : String(failed.error);
  const text = `gave up on record ${failed.id} after ${failed.attempts} attempts: ${found}`;
  const { onDeadLetter } = run.options;
  if (onError === "drop") {
    node.count("dropped");
    return "done";
  }
  if (onError === "pause") {
    run.pause(`${name} ${text}`);
    await run.whenResumed();
    if (!run.isStopping) return "retry";
    // Nobody is going to mend it in this run: the record comes again in the next one.
    void run.close();
    return Promise.withResolvers<never>().promise;
  }
  if (onError === "dead-letter" && onDeadLetter !== undefined) {
    await onDeadLetter(failed, name);
    node.count("deadLetters");
    return "done";
  }
  run.fail(
    streamError("stream.action_failed", `${name} ${text}`, { cause: failed.error, details: { stage: name, record: failed.id } }),
  );
  return Promise.withResolvers<never>().promise; // nobody waits for it: the run is over
}
