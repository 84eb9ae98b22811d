export { type Address, Alias, EventName, PID, ProcessName, Ref } from "./identity.ts";
export { checkName, MAX_NAME_BYTES } from "./name.ts";
export {
  bareReason,
  isClean,
  isPanic,
  isReason,
  later,
  type Outcome,
  type Reason,
  reasonOfOutcome,
  reasonOfThrow,
  Terminate,
} from "./reason.ts";
export type { AnswerOf, AnyCall, Call, RequestOf } from "./typed.ts";
