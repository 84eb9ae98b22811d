import type { IncomingMessage } from "node:http";
import type { Address, Alias } from "../identity/index.ts";
import type { TcpAddress } from "../tcp/messages.ts";

/** The address of an event stream, as its handler gets it. */
export type SseAlias = Alias<SseCommand, never>;
/**
 * What the handler of a stream is sent: one `MessageSseConnect`, then, of a server's stream whose reader says where it was, one
 * `MessageSseLastEventId`, or, of a client's stream, the events; one `MessageSseDisconnect` in the end.
 */
export type SseEvent = MessageSseConnect | MessageSseLastEventId | MessageSse | MessageSseDisconnect;
/** What a server's stream can be sent: an event to write, or that it shall end when everything before has been written. */
export type SseCommand = MessageSse | MessageSseDisconnect;
/** Who handles a stream. A name is looked up at each message. */
export type SseProcess = Address<SseEvent, never>;

/** To the handler: a stream is open. The first message about it. */
export class MessageSseConnect {
  /** The stream: where events for the reader are sent to. */
  readonly id: SseAlias;
  readonly remote: TcpAddress;
  readonly local: TcpAddress;
  /** What the reader asked for; undefined for a stream that this side reads. */
  readonly request: IncomingMessage | undefined;

  constructor(id: SseAlias, remote: TcpAddress, local: TcpAddress, request?: IncomingMessage) {
    this.id = id;
    this.remote = remote;
    this.local = local;
    this.request = request;
  }
}

/** To the handler: the reader was here before, and this is the id of the last event that it has seen. */
export class MessageSseLastEventId {
  readonly id: SseAlias;
  readonly lastEventId: string;

  constructor(id: SseAlias, lastEventId: string) {
    this.id = id;
    this.lastEventId = lastEventId;
  }
}

/** What an event says; every part may be missing. */
export interface SseContent {
  /** The type of the event; a reader takes a missing one for `message`. No line breaks. */
  readonly event?: string;
  /** May have several lines. Without data a reader sees no event. */
  readonly data?: string;
  /** What the reader says when it comes back; an empty one makes it forget. No line breaks. */
  readonly msgId?: string;
  /** How long the reader should wait before it comes back, in milliseconds. */
  readonly retryMs?: number;
}

/** To a server's stream: an event to write. To the handler of a client's stream: an event that was read. */
export class MessageSse implements SseContent {
  /** The stream. Means nothing when it is sent to one. */
  readonly id: SseAlias;
  readonly event: string | undefined;
  readonly data: string | undefined;
  readonly msgId: string | undefined;
  readonly retryMs: number | undefined;

  constructor(id: SseAlias, { event, data, msgId, retryMs }: SseContent) {
    this.id = id;
    this.event = event;
    this.data = data;
    this.msgId = msgId;
    this.retryMs = retryMs;
  }
}

/** To the handler: the stream has ended. Its last message. To a server's stream: end after what was sent before. */
export class MessageSseDisconnect {
  readonly id: SseAlias;

  constructor(id: SseAlias) {
    this.id = id;
  }
}
