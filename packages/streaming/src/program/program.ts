import type { Codec } from "../codec/codec.ts";
import { streamError } from "../errors.ts";
import type { FailurePolicy } from "../stage/failure.ts";
import type { SourceHost } from "../stage/stage.ts";
import { Child, type ChildEvents, describeExit, type Exit, type Launch } from "./child.ts";

/** A program as its stages see it: how to start it, and how to talk to it. */
export interface Program {
  readonly codec: Codec;
  readonly policy: FailurePolicy;
  readonly maxRecordBytes: number;
  /** Exit codes that mean that all went well. */
  readonly goodExits: readonly number[];
  /** Prepares one start: a checked binary, its guards, its environment. May differ from start to start. */
  launch(host: SourceHost): Launch;
}

/** Starts it; what it writes to stderr goes into the log of its node. */
export function startChild(program: Program, host: SourceHost, events: Omit<ChildEvents, "onStderr">): Child {
  return new Child(program.launch(host), { ...events, onStderr: (line) => host.log("info", line) });
}

export function isGood(program: Program, { code }: Exit): boolean {
  return code !== null && program.goodExits.includes(code);
}

/** Why a record failed whose program died. */
export function exitError(host: SourceHost, exit: Exit, stderr: string): Error {
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  const said = last === "" ? "" : `; it said: ${last}`;
  return streamError("stream.program", `the program of ${host.node.name} ended with ${describeExit(exit)}${said}`, {
    details: { exitCode: exit.code, signal: exit.signal },
  });
}

/** A record that was not answered in time. */
export function timedOut({ node }: SourceHost, timeoutMs: number): Error {
  return streamError("stream.record_timeout", `the program of ${node.name} gave no answer within ${timeoutMs} ms and was ended`, {
    details: { timeoutMs },
  });
}

/** Answers that belong to no input. */
export function pairingError({ node }: SourceHost, what: string): Error {
  const hint = "it has to answer each record with exactly one: set `answers` to any, or mend it";
  return streamError("stream.program", `${node.name}: ${what}; ${hint}`);
}
