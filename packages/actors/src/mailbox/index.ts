export {
  Envelope,
  type EnvelopeKind,
  isCertain,
  isPriority,
  MessageDown,
  MessageEvent,
  MessageEventStart,
  MessageEventStop,
  MessageExit,
  MessageFallback,
  type MessageResponse,
  type Priority,
  type TargetAddress,
} from "./envelope.ts";
export { type KeptMail, MailboxKept } from "./kept.ts";
export { Ring } from "./ring.ts";
