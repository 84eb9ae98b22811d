import type { LocalExecutor } from "../executor/local.ts";
import type { ExecutorSpec, Protocol } from "../relation/relation.ts";

/** What the settings of an executor may be: text as it is, anything else as JSON. */
export type ExecutorSettings = string | object;

/** The built-ins by the role that they have. */
interface BuiltIns {
  readonly convert: "scatter" | "merge" | "time_range" | "random";
  readonly before: "instance-loader" | "para_as_key" | "task-checker";
  readonly after: never;
}

/** A role of an executor in a relation. */
export type Role = keyof BuiltIns;

interface Common {
  readonly settings?: ExecutorSettings;
  /** Longest run, in milliseconds. @default the engine's */
  readonly timeoutMs?: number;
}

/** An executor that is none of a flow's own functions. */
export type ForeignExecutor<R extends Role = Role> =
  | ({ readonly protocol: Exclude<Protocol, "auto" | "builtin">; readonly url: string } & Common)
  | ({ readonly protocol: "builtin"; readonly url: BuiltIns[R] } & Common);

/** The executors of a flow, by names of its own: functions of this process, or where others are. */
export type FlowExecutors = Readonly<Record<string, LocalExecutor | ForeignExecutor>>;

/** The names of those that can have a role; none where no executors are given. */
export type NamesFor<Executors, R extends Role> = string extends keyof Executors
  ? never
  : {
      [Name in keyof Executors]: Executors[Name] extends { readonly protocol: string }
        ? Name
        : Executors[Name] extends (...given: never[]) => unknown
          ? R extends "convert"
            ? Name
            : never
          : Executors[Name] extends { readonly [K in R]: (...given: never[]) => unknown }
            ? Name
            : never;
    }[keyof Executors] &
      string;

/** Who does the work: the name of one of the flow's own, the same with settings, or another one. */
export type ExecutorUse<Executors, R extends Role> = NamedExecutor<NamesFor<Executors, R>> | ForeignExecutor<R>;

/** One of a flow's own, with its settings. */
export type NamedExecutor<Name extends string = string> = Name | ({ readonly name: Name } & Common);

/** Whether it is told where to find it, rather than given. */
export function isForeign(given: LocalExecutor | ForeignExecutor): given is ForeignExecutor {
  return typeof given === "object" && "protocol" in given;
}

/** The form that is stored. */
export function toExecutorSpec({ protocol, url, settings, timeoutMs }: ForeignExecutor): ExecutorSpec {
  const text = typeof settings === "object" ? JSON.stringify(settings) : settings;
  return { protocol, url, ...(text === undefined ? {} : { settings: text }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}
