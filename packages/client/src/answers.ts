import type { operations } from "./generated/api.ts";

/** The body of an operation's answer, by the operation's id and the status. */
export type AnswerOf<Id extends keyof operations, Status extends number = 200> = operations[Id] extends {
  responses: Record<Status, { content: { "application/json": infer Body } }>;
}
  ? Body
  : never;
