import { coreError, handlerMember, type Message } from "@metanode/core";
import { z } from "zod";
import { defineBuiltIn, needService } from "../stage/built-in.ts";
import { Inbox } from "./inbox.ts";

const settings = z.object({
  type: z.string().min(1).describe("The type that it handles, or a pattern of types."),
  version: z.string().min(1).default("1"),
  answer: z
    .enum(["accepted", "settled"])
    .default("settled")
    .describe("When a caller is answered: once the message is handed over to the graph, or once every sink has it."),
  give: z.enum(["data", "message"]).default("data").describe("What a record is: the payload of a message, or all of it."),
  inputSchema: z.record(z.string(), z.unknown()).optional().describe("JSON Schema that payloads have to fit."),
  maxWaiting: z.int().min(1).default(1_000).describe("Messages that may wait for the graph; more are refused, to be sent again."),
});

/**
 * `router.receive`: the messages of a type, called or sent durably to this node.
 *
 * With `answer: "settled"` nothing is lost: a caller has no answer, and a durable send is delivered again, until every sink has the
 * record; a crash repeats those under way. Their ids are those of the messages. With `accepted` what was in flight at a crash is lost, unless the graph
 * keeps a journal. When the graph does not keep up, messages are refused with `call.resource_exhausted`.
 */
export const routerReceive = defineBuiltIn({
  name: "router.receive",
  summary: "Handles messages of a type: each is a record.",
  settings,
  make: ({ type, version, answer, give, inputSchema, maxWaiting }, node, services) => {
    const router = needService(services, "router", node);
    return {
      ...(answer === "settled" ? { renumbers: true } : { replays: false }),
      source: (host) => {
        const { graph } = host;
        const inbox = new Inbox({ host, maxRecords: maxWaiting, onStop: () => registration.remove() });
        const take = async (message: Message): Promise<void> => {
          if (!inbox.hasRoom()) throw refusal(`${graph}.${node.name}`, inbox);
          await inbox.offer(
            { records: [give === "message" ? message : message.data] },
            { until: answer, id: message.idempotencykey ?? message.id, trace: message.traceparent },
          );
        };
        const registration = router.register({
          type,
          version,
          member: handlerMember(`graph:${graph}/${node.name}`, take),
          description: `node ${node.name} of the graph ${graph}`,
          ...(inputSchema === undefined ? {} : { inputSchema }),
        });
        return inbox;
      },
    };
  },
});

function refusal(name: string, { waiting }: Inbox): Error {
  const what = `${waiting} messages wait for the graph already (${name}); send it again later`;
  return coreError("call.resource_exhausted", what, { details: { dispatched: false } });
}
