import { nearest, rejectUnknownKeys } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import { shown } from "./answer.ts";
import type { Converter, ConvertRequest, ConvertResult, Executor, ExecutorResolver, Output } from "./executor.ts";

/** What can stand behind a name: a function that converts, or what converts and filters. */
export type LocalExecutor = Converter | Executor;

/** Functions of this process, by name. */
export interface LocalExecutors<Name extends string = string> extends ExecutorResolver {
  readonly names: readonly Name[];
}

/**
 * Functions as executors of protocol `local`, by their names.
 *
 * ```ts
 * const local = defineExecutors({
 *   "order/receivable": jsonConverter<Order, Account>(({ content }) => ({ value: { receivable: content.price, paid: 0 } })),
 *   "order/copy": ({ from }) => ({ type: "instances", instances: [{ content: from.content }] }),
 * });
 * ```
 *
 * A function that throws an error without a code is called again later; {@link refuse} says that this would not help.
 * @throws config.invalid – an entry is neither a function nor an object with `convert`, `before` or `after`
 */
export function defineExecutors<Name extends string>(table: Readonly<Record<Name, LocalExecutor>>): LocalExecutors<Name> {
  const executors = new Map<string, Executor>();
  const names = Object.keys(table) as Name[];
  for (const name of names) {
    const given: LocalExecutor = table[name];
    if (typeof given !== "function") rejectUnknownKeys(`executors.${name}`, given, ["convert", "before", "after"]);
    executors.set(name, typeof given === "function" ? { convert: given } : given);
  }
  return {
    names,
    resolve: (url) => {
      const found = executors.get(url);
      if (found !== undefined) return found;
      const near = nearest(url, names);
      const hint = near === undefined ? `known are ${names.join(", ") || "none"}` : `did you mean ${near}?`;
      throw natureError("executor.unknown", `there is no local executor ${JSON.stringify(url)}; ${hint}`, {
        details: { protocol: "local", url },
      });
    },
  };
}

/** What a {@link jsonConverter} is given. */
export interface JsonRequest<In, Last = unknown, Master = unknown> {
  /** The upstream's content, parsed. */
  readonly content: In;
  /** That of the last version of the target; undefined if there is none, or it has no content. */
  readonly last: Last | undefined;
  /** That of the instance of the upstream's master. */
  readonly master: Master | undefined;
  /** Everything else: the instances themselves, the settings, the signal. */
  readonly request: ConvertRequest;
}

/** An output whose content is a JSON value. */
export interface JsonOutput<Value> extends Omit<Output, "content"> {
  readonly value: Value;
}

/** One output, several, none (undefined), or any other answer of an executor. */
export type JsonAnswer<Value> = JsonOutput<Value> | readonly JsonOutput<Value>[] | ConvertResult | undefined;

/**
 * A converter between contents that are JSON: it parses what comes and writes what goes. Nothing is checked besides that it is JSON: give
 * the metas `fields` for the rest. Content that is no JSON is refused for good.
 */
export function jsonConverter<In, Out, Last = Out, Master = unknown>(
  work: (given: JsonRequest<In, Last, Master>) => JsonAnswer<Out> | Promise<JsonAnswer<Out>>,
): Converter {
  return (request) => {
    const { from, last, master } = request;
    const given = work({
      content: parse(from.content, "the upstream") as In,
      last: last === undefined || last.content === "" ? undefined : (parse(last.content, "the last version") as Last),
      master: master === undefined || master.content === "" ? undefined : (parse(master.content, "the master") as Master),
      request,
    });
    return given instanceof Promise ? given.then(resultOf) : resultOf(given);
  };
}

/** An error that says: this input will never be right. For `throw`. */
export function refuse(message: string): Error {
  return natureError("executor.logic", message);
}

/** An error that says: not now, try again later. For `throw`. */
export function tryLater(message: string): Error {
  return natureError("executor.environment", message);
}

function resultOf<Value>(given: JsonAnswer<Value>): ConvertResult {
  if (given === undefined) return { type: "instances", instances: [] };
  if (Array.isArray(given)) return { type: "instances", instances: given.map(write) };
  if ("value" in given) return { type: "instances", instances: [write(given)] };
  return given as ConvertResult;
}

function write<Value>({ value, ...output }: JsonOutput<Value>): Output {
  const content = JSON.stringify(value);
  if (content === undefined) throw refuse(`the value of an output is ${shown(value)}, which JSON cannot say`);
  return { ...output, content };
}

function parse(content: string, whose: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw natureError("executor.logic", `the content of ${whose} is no JSON: ${(cause as Error).message}`, { cause });
  }
}
