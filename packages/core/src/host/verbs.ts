import type { Clock } from "../clock.ts";
import type { CallContext } from "../message/context.ts";
import type { Message } from "../message/message.ts";
import type { ExecInput, ExecItem } from "./exec.ts";
import type { HostFacts } from "./facts.ts";
import type { Gate } from "./gate.ts";
import type { LogItem } from "./lines.ts";
import { fileLog } from "./log-file.ts";
import { onceOver } from "./over.ts";
import { type PullInput, type PullItem, pull } from "./pull.ts";
import type { PushAnswer, Pushes, PushInput } from "./push.ts";
import { showCommand } from "./redact.ts";
import type { HostVerb } from "./rules.ts";
import type { UnitAction } from "./systemd.ts";
import { type FileTarget, fileToRead, fileToWrite, namedTarget, type ProgramTarget, programOf } from "./target.ts";
import type { UnitStatus } from "./unit.ts";
import type { Units } from "./units.ts";

/** The payload of `metanode.host.unit`. */
export interface UnitInput {
  readonly unit: string;
  readonly action: UnitAction;
}

/** The payload of `metanode.host.log`: of a file, or of a unit. */
export type LogInput = ({ readonly path: string } | { readonly unit: string }) & {
  /** How many of the last lines come first. @default 100 */
  readonly lines?: number;
  /** Go on with what is written from now on, until the caller leaves. @default false */
  readonly follow?: boolean;
};

/** What the verbs stand on. */
export interface VerbMeans {
  readonly gate: Gate;
  readonly clock: Clock;
  readonly facts: () => Promise<HostFacts>;
  readonly units: Units;
  readonly pushes: Pushes;
  readonly exec: (input: ExecInput, target: ProgramTarget, context: CallContext) => AsyncIterable<ExecItem>;
  /** Aborted when the node stops. */
  readonly closing: AbortSignal;
}

type VerbHandler = (message: Message, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

const DEFAULT_LINES = 100;

/** One handler for each verb; each goes through the gate. Payloads fit their schemas here. */
export function handlersOf(means: VerbMeans): Readonly<Record<HostVerb, VerbHandler>> {
  const { gate, units, pushes } = means;
  return {
    facts: (message, context): Promise<HostFacts> =>
      gate.call({ verb: "facts", message, context, shown: "", target: () => undefined }, means.facts),
    exec: (message, context): AsyncIterable<ExecItem> => {
      const input = message.data as ExecInput;
      const { argv, cwd = process.cwd(), env } = input;
      const target = (): Promise<ProgramTarget> => programOf(argv[0] as string, cwd);
      return gate.stream(
        { verb: "exec", message, context, shown: showCommand(argv), target, carries: Object.keys(env ?? {}) },
        (program) => means.exec(input, program, context),
      );
    },
    push: (message, context): Promise<PushAnswer> => {
      const input = message.data as PushInput;
      const target = (): Promise<FileTarget> => fileToWrite(input.path);
      return gate.call({ verb: "push", message, context, shown: input.path, target }, (file) => pushes.push(input, file));
    },
    pull: (message, context): AsyncIterable<PullItem> => {
      const input = message.data as PullInput;
      const target = (): Promise<FileTarget> => fileToRead(input.path);
      return gate.stream({ verb: "pull", message, context, shown: input.path, target }, (file) => pull(input, file));
    },
    unit: (message, context): Promise<UnitStatus> => {
      const { unit, action } = message.data as UnitInput;
      const request = { verb: "unit", message, context, shown: `${action} ${unit}`, target: () => namedTarget(unit) } as const;
      return gate.call(request, () => units.act(unit, action));
    },
    log: (message, context): AsyncIterable<LogItem> => logOf(means, message, context),
  };
}

function logOf({ gate, clock, units, closing }: VerbMeans, message: Message, context: CallContext): AsyncIterable<LogItem> {
  const input = message.data as { path?: string; unit?: string; lines?: number; follow?: boolean };
  const { path, unit, lines = DEFAULT_LINES, follow = false } = input;
  const following = async function* (read: (signal: AbortSignal) => AsyncIterable<LogItem>): AsyncGenerator<LogItem> {
    const over = new AbortController();
    const leave = onceOver(context, clock, (error) => over.abort(error));
    const signal = AbortSignal.any([over.signal, closing]);
    try {
      yield* read(signal);
      // A log that is followed has no end of its own.
      if (follow) signal.throwIfAborted();
    } finally {
      leave();
      over.abort();
    }
  };
  if (unit !== undefined) {
    const request = { verb: "log", message, context, shown: `unit ${unit}`, target: () => namedTarget(unit) } as const;
    return gate.stream(request, () => following((signal) => units.log(unit, { lines, follow, signal })));
  }
  const place = path as string;
  const target = (): Promise<FileTarget> => fileToRead(place);
  return gate.stream({ verb: "log", message, context, shown: place, target }, (file) =>
    following((signal) => fileLog({ target: file, lines, follow, clock, signal })),
  );
}
