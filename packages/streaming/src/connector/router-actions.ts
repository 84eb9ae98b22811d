import type { MessageInit } from "@metanode/core";
import { z } from "zod";
import { keyReader } from "../record/key.ts";
import type { RecordContext } from "../stage/answer.ts";
import { defineBuiltIn, needService } from "../stage/built-in.ts";
import { resolveFailurePolicy } from "../stage/failure.ts";
import { FunctionStage } from "../stage/function-stage.ts";
import type { Action } from "../stage/stage.ts";

const settings = z.object({
  type: z.string().min(1).describe("The type of the messages."),
  version: z.string().min(1).optional().describe("The version of the type. @default the oldest that there is"),
  subject: z.string().optional().describe("Path to the subject in a record: `user.id`."),
});

const callSettings = settings.extend({
  timeoutMs: z.int().min(1).default(30_000).describe("Longest wait for an answer."),
});

/**
 * `router.send`: each record as a message to whoever handles its type, durably. A record is done once the message is accepted, and
 * goes on. The id of the message is that of the record, with the name of the graph; so what a crash brings again is accepted
 * once only, within the window of the log, and can be recognised by its receiver beyond.
 */
export const routerSend = defineBuiltIn({
  name: "router.send",
  summary: "Sends each record as a message, durably.",
  settings,
  make: (given, node, services) => {
    const router = needService(services, "router", node);
    const messageOf = messageMaker(given);
    return calling(async (record, context) => {
      await router.send(messageOf(record, context));
      return record;
    });
  },
});

/**
 * `router.call`: each record as a message, and its answer in its place; without an answer, nothing goes on. A record is done once
 * what was made of its answer is. After a crash the message is sent again under the same id.
 */
export const routerCall = defineBuiltIn({
  name: "router.call",
  summary: "Calls with each record, and gives on the answers.",
  settings: callSettings,
  make: ({ timeoutMs, ...given }, node, services) => {
    const router = needService(services, "router", node);
    const messageOf = messageMaker(given);
    return calling((record, context) => router.call(messageOf(record, context), { timeoutMs, signal: context.signal }));
  },
});

function messageMaker({ type, version, subject }: z.infer<typeof settings>) {
  const subjectOf = subject === undefined ? undefined : keyReader(subject);
  return (data: unknown, { id, graph, stage, traceparent }: RecordContext): MessageInit => {
    const about = subjectOf?.(data);
    return {
      id: `${graph}/${id}`,
      source: `/graphs/${graph}/${stage}`,
      type,
      data,
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(version === undefined ? {} : { typeversion: version }),
      ...(about === undefined || about === "" ? {} : { subject: about }),
    };
  };
}

function calling(call: (record: unknown, context: RecordContext) => Promise<unknown>): Action {
  return {
    stage: (host) =>
      new FunctionStage(call as (record: never, context: RecordContext) => Promise<unknown>, host, {
        policy: resolveFailurePolicy(host.node),
        concurrency: host.node.concurrency ?? 64,
        maxWaiting: 10_000,
      }),
  };
}
