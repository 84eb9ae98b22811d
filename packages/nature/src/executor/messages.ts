import type { CallOptions, MessageInit } from "@metanode/core";
import { hasCode } from "@metanode/core/errors";
import { natureError } from "../errors.ts";
import type { ExecutorResolver } from "./executor.ts";
import { remoteExecutors } from "./remote.ts";
import { checkedTraceparent } from "./trace.ts";

/** Who finds the member for a message: a node, or its router. */
export interface MessageCaller {
  call(message: MessageInit, options?: CallOptions): Promise<unknown>;
  /** Durably: resolves when it is stored. Absent = what is only to be told cannot be. */
  send?(message: MessageInit): Promise<unknown>;
}

/** What an attribute of a message cannot say. */
const BAD_SUBJECT = /\p{Cc}/u;
const MAX_SUBJECT_LENGTH = 4_096;

/**
 * Executors of protocol `processor`: the url is a message type. The message has the line of the upstream as its subject, the task as its
 * idempotency key, and the deadline and trace of the work. A type that nobody handles is tried again: processors come and go.
 */
export function messageExecutors(caller: MessageCaller): ExecutorResolver {
  return remoteExecutors("processor", async (type, data, options) => {
    const { subject, idempotencyKey, deadlineMs, signal, mode } = options;
    const traceparent = checkedTraceparent(options.traceparent);
    const isSubject = subject !== undefined && subject.length <= MAX_SUBJECT_LENGTH && !BAD_SUBJECT.test(subject);
    const message: MessageInit = {
      type,
      data,
      // What is handled later has its own time.
      ...(mode === "send" ? {} : { deadline: deadlineMs }),
      ...(isSubject ? { subject } : {}),
      ...(idempotencyKey === undefined ? {} : { idempotencykey: idempotencyKey }),
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    try {
      if (mode === "call") return await caller.call(message, { signal });
      if (caller.send !== undefined) return await caller.send(message);
      throw natureError("executor.logic", `message type ${type} is to be told, but there is nobody who sends durably`);
    } catch (error) {
      if (!hasCode(error, "message.unknown_type")) throw error;
      throw natureError("executor.environment", (error as Error).message, { cause: error, details: { type } });
    }
  });
}
