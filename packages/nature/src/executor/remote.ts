import { rejectUnknownKeys } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import { type Instance, keyOf, lineKeyOf } from "../instance/instance.ts";
import { answerProblem, instanceProblem, outputsProblem, type Problem, shown } from "./answer.ts";
import type { ConvertResult, Executor, ExecutorResolver, Output } from "./executor.ts";

/** What goes to an executor outside of this package, as JSON. Ids are decimal digits. */
export type RemoteRequest =
  | {
      readonly role: "convert";
      readonly from: Instance;
      readonly last?: Instance;
      readonly master?: Instance;
      readonly taskId: number;
      readonly credential: string;
      readonly settings: string;
    }
  | { readonly role: "before"; readonly instance: Instance; readonly to: string; readonly settings: string }
  | { readonly role: "after"; readonly instances: readonly Output[]; readonly to: string; readonly settings: string };

/** How long somebody may take, and about what it is. */
export interface AskOptions {
  /** The line of the upstream: the key of ordering and sharding. Undefined for filters behind an executor. */
  readonly subject: string | undefined;
  /** The same for every try of one task; undefined for filters. */
  readonly idempotencyKey: string | undefined;
  /** W3C trace context, if the upstream's context carries one under `traceparent`. */
  readonly traceparent: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Whether an answer is wanted, or it is enough that it will be handled. */
  readonly mode: Mode;
}

/** `send` hands an instance over for good and wants no answer; the task is done when it is taken. */
export type Mode = "call" | "send";

/**
 * Hands work to something that this package does not know: an actor, a graph, a message type. Its answer is a ConvertResult to `convert`, an
 * instance to `before`, a list of outputs to `after`; or, where `data` is a plain value, whatever the other side answers.
 */
export type Ask = (target: string, data: unknown, options: AskOptions) => Promise<unknown>;

const TRACEPARENT = "traceparent";

/**
 * Executors that are reached by asking. Settings of a converter may be JSON:
 *
 *  - `"pass": "content"` means one that knows nothing of workflows: it gets the upstream's content as a JSON value, and its answer is the
 *    content of one instance.
 *  - `"mode": "send"` means one that is told and not asked: it gets the upstream as it is stored (or its content), and nothing comes of it
 *    here. Only message types take that.
 */
export function remoteExecutors(protocol: string, ask: Ask): ExecutorResolver {
  return { resolve: (target) => remoteExecutor({ protocol, target, ask }) };
}

interface Remote {
  readonly protocol: string;
  readonly target: string;
  readonly ask: Ask;
}

function remoteExecutor(remote: Remote): Executor {
  const { target, ask } = remote;
  return {
    convert: async ({ from, last, master, taskId, credential, settings, signal, deadlineMs }) => {
      const { passesContent, mode } = usageOf(settings);
      const options: AskOptions = {
        subject: lineKeyOf(from),
        // What is told is told once, by whatever task.
        idempotencyKey: mode === "send" ? keyOf(from) : `task-${taskId}`,
        traceparent: from.context[TRACEPARENT],
        deadlineMs,
        signal,
        mode,
      };
      if (mode === "send") {
        await ask(target, passesContent ? contentOf(from) : from, options);
        return { type: "instances", instances: [] };
      }
      if (passesContent) return contentResult(await ask(target, contentOf(from), options));
      const request: RemoteRequest = {
        role: "convert",
        from,
        ...(last === undefined ? {} : { last }),
        ...(master === undefined ? {} : { master }),
        taskId,
        credential,
        settings,
      };
      return checked<ConvertResult>(remote, await ask(target, request, options), answerProblem);
    },
    before: async (instance, { settings, to, traceparent, signal, deadlineMs }) => {
      const request: RemoteRequest = { role: "before", instance, to, settings };
      const options = {
        subject: lineKeyOf(instance),
        idempotencyKey: undefined,
        traceparent,
        deadlineMs,
        signal,
        mode: "call",
      } as const;
      return checked<Instance>(remote, await ask(target, request, options), instanceProblem);
    },
    after: async (instances, { settings, to, traceparent, signal, deadlineMs }) => {
      const request: RemoteRequest = { role: "after", instances, to, settings };
      const nothing = { subject: undefined, idempotencyKey: undefined };
      const options: AskOptions = { ...nothing, traceparent, deadlineMs, signal, mode: "call" };
      return checked<readonly Output[]>(remote, await ask(target, request, options), outputsProblem);
    },
  };
}

function checked<T>({ protocol, target }: Remote, given: unknown, problemOf: (given: unknown) => Problem): T {
  const problem = problemOf(given);
  if (problem === undefined) return given as T;
  throw natureError("executor.logic", `${protocol} ${target} gave no answer of an executor: ${problem}`, {
    details: { protocol, url: target },
  });
}

interface Usage {
  readonly passesContent: boolean;
  readonly mode: Mode;
}

const PLAIN: Usage = { passesContent: false, mode: "call" };

function usageOf(settings: string): Usage {
  if (!settings.trimStart().startsWith("{")) return PLAIN;
  let given: { pass?: unknown; mode?: unknown };
  try {
    given = JSON.parse(settings);
  } catch {
    return PLAIN;
  }
  const { pass, mode = "call" } = given;
  if (pass === undefined && given.mode === undefined) return PLAIN;
  rejectUnknownKeys("settings", given, ["pass", "mode"]);
  if (pass !== undefined && pass !== "content")
    throw natureError("executor.logic", `settings.pass is ${shown(pass)}, expected "content", or no such setting`);
  if (mode !== "call" && mode !== "send")
    throw natureError("executor.logic", `settings.mode is ${shown(mode)}, expected "call" or "send"`);
  return { passesContent: pass === "content", mode };
}

function contentOf({ content }: Instance): unknown {
  if (content === "") return null;
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw natureError("executor.logic", `the content of the upstream is no JSON: ${(cause as Error).message}`, { cause });
  }
}

function contentResult(value: unknown): ConvertResult {
  return value === undefined ? { type: "none" } : { type: "instances", instances: [{ content: JSON.stringify(value) }] };
}
