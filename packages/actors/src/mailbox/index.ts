export {
  Envelope,
  type EnvelopeKind,
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
export { Ring } from "./ring.ts";
