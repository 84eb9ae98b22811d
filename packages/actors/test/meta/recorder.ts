import { expect } from "vitest";
import {
  type Call,
  type Ended,
  type MessageResponse,
  MetaBehaviour,
  type MetaProcess,
  type PID,
  type Reason,
  type Ref,
} from "../../src/index.ts";

/** A meta-process whose `start` waits until it is terminated, and which writes down everything that happens to it. */
export class Recorder extends MetaBehaviour<unknown, Call<unknown, unknown>> {
  readonly got: unknown[] = [];
  readonly froms: PID[] = [];
  readonly responses: MessageResponse[] = [];
  readonly ended: Reason[] = [];
  /** The callbacks in the order of their calls. */
  readonly calls: string[] = [];
  meta!: MetaProcess;
  begin: (meta: MetaProcess) => unknown = () => undefined;
  work: (meta: MetaProcess) => Ended = () => this.over.promise;
  react: (message: unknown, from: PID) => unknown = () => undefined;
  answer: (from: PID, ref: Ref, request: unknown) => unknown = (_from, _ref, request) => request;
  describe: (from: PID, items: readonly string[]) => unknown = () => ({});
  close: (reason: Reason) => void | Promise<void> = () => this.over.resolve(undefined);
  readonly over = Promise.withResolvers<undefined>();

  constructor(changes: Partial<Pick<Recorder, "begin" | "work" | "react" | "answer" | "describe" | "close">> = {}) {
    super();
    Object.assign(this, changes);
  }

  override init(meta: MetaProcess): unknown {
    this.calls.push("init");
    this.meta = meta;
    return this.begin(meta);
  }

  override start(meta: MetaProcess): Ended {
    this.calls.push("start");
    return this.work(meta);
  }

  override handleMessage(from: PID, message: unknown): Ended {
    this.calls.push("message");
    this.froms.push(from);
    this.got.push(message);
    if (typeof message === "function") return message(this, from);
    return this.react(message, from) as Ended;
  }

  override handleCall(from: PID, ref: Ref, request: unknown): unknown {
    this.calls.push("call");
    return this.answer(from, ref, request);
  }

  override handleResponse(response: MessageResponse): void {
    this.calls.push("response");
    this.responses.push(response);
  }

  override handleInspect(from: PID, items: readonly string[]): Readonly<Record<string, string>> {
    this.calls.push("inspect");
    return this.describe(from, items) as Readonly<Record<string, string>>;
  }

  override terminate(reason: Reason): void | Promise<void> {
    this.calls.push("terminate");
    this.ended.push(reason);
    return this.close(reason);
  }
}

/** An error with a code, whatever else it says. */
export const code = (value: string): unknown => expect.objectContaining({ code: value });
