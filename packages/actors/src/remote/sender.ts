import type { Alias, EventName, PID, ProcessName, Reason, Ref } from "../identity/index.ts";
import type { MessageEvent, Priority } from "../mailbox/index.ts";
import type { Compression } from "../process/extras.ts";
import type { FarCall, FarTarget, Problem } from "../runtime/network.ts";
import { encode } from "./codec/encode.ts";
import type { Writer } from "./codec/writer.ts";
import { ANSWER, FRAME, IMPORTANT, PRIORITIES, PRIORITY_SHIFT } from "./frames.ts";
import type { Outbox } from "./outbox.ts";
import { unwritable, writePayload } from "./payload.ts";

/** Something that a frame is about; the rest of it is the writer's. */
interface Request {
  readonly kind: number;
  /** Behind which the answer is waited for. */
  readonly ref: Ref;
  readonly write: (w: Writer) => void;
}

/** A message for another node, and how it is sent. */
export interface FarMail {
  readonly from: PID;
  readonly to: FarTarget;
  readonly message: unknown;
  readonly priority: Priority;
  readonly compression: Compression | undefined;
  /** Behind it waits whoever wants to know that the message arrived. */
  readonly confirm: Ref | undefined;
}

/** An answer, and who wants to know that it arrived. */
export interface Reply {
  readonly to: PID;
  readonly ref: Ref;
  readonly answer: { readonly value: unknown } | { readonly error: Error };
  readonly confirm: Ref | undefined;
  readonly compression: Compression | undefined;
}

/**
 * Writes frames for one node. What others than the peer can be told of is refused while the outbox is full; what ends
 * relations is always written, because nobody would say it again.
 */
export class Sender {
  readonly outbox: Outbox;
  /** Largest message that the peer takes. */
  maxMessageBytes: number;
  readonly #writer: Writer;

  constructor(outbox: Outbox, maxMessageBytes: number) {
    this.outbox = outbox;
    this.maxMessageBytes = maxMessageBytes;
    this.#writer = outbox.writer;
  }

  send(mail: FarMail): Problem | undefined {
    const { outbox } = this;
    if (outbox.isFull) return "actor.link_full";
    const w = this.#writer;
    w.begin();
    try {
      w.byte(head(FRAME.send, mail.priority) | (mail.confirm === undefined ? 0 : IMPORTANT));
      w.address(mail.from);
      w.address(mail.to);
      if (mail.confirm !== undefined) w.ref(mail.confirm);
      writePayload(w, mail.message, this.maxMessageBytes, mail.compression);
    } catch (error) {
      w.abort();
      return unwritable(error);
    }
    outbox.wrote();
    return undefined;
  }

  call({ from, to, request, ref, priority, isImportant }: FarCall, compression: Compression | undefined): Problem | undefined {
    const { outbox } = this;
    if (outbox.isFull) return "actor.link_full";
    const w = this.#writer;
    w.begin();
    try {
      w.byte(head(FRAME.call, priority) | (isImportant ? IMPORTANT : 0));
      w.address(from);
      w.address(to as FarTarget);
      w.ref(ref);
      writePayload(w, request, this.maxMessageBytes, compression);
    } catch (error) {
      w.abort();
      return unwritable(error);
    }
    outbox.wrote();
    return undefined;
  }

  answer({ to, ref, answer, confirm, compression }: Reply): Problem | undefined {
    const { outbox } = this;
    if (outbox.isFull) return "actor.link_full";
    const w = this.#writer;
    w.begin();
    try {
      w.byte(FRAME.answer | (confirm === undefined ? 0 : IMPORTANT));
      w.address(to);
      w.ref(ref);
      if (confirm !== undefined) w.ref(confirm);
      if ("error" in answer) {
        w.byte(ANSWER.error);
        writePayload(w, answer.error, this.maxMessageBytes, compression);
      } else if (answer.value === undefined) w.byte(ANSWER.nothing);
      else {
        w.byte(ANSWER.value);
        writePayload(w, answer.value, this.maxMessageBytes, compression);
      }
    } catch (error) {
      w.abort();
      return unwritable(error);
    }
    outbox.wrote();
    return undefined;
  }

  /** False if there is no room, or if the event cannot be sent. */
  event(watch: number, priority: Priority, from: PID, event: MessageEvent): Problem | undefined {
    const { outbox } = this;
    if (outbox.isFull) return "actor.link_full";
    const w = this.#writer;
    w.begin();
    try {
      w.byte(head(FRAME.event, priority));
      w.uint(watch);
      w.address(from);
      w.double(event.timeMs);
      writePayload(w, event.message, this.maxMessageBytes);
    } catch (error) {
      w.abort();
      return unwritable(error);
    }
    outbox.wrote();
    return undefined;
  }

  exit(from: PID, to: PID<never, never>, reason: Reason): Problem | undefined {
    if (this.outbox.isFull) return "actor.link_full";
    return this.#put((w) => {
      w.byte(FRAME.exit);
      w.address(from);
      w.address(to);
      encode(w, reason);
    });
  }

  watch(ref: Ref, watch: number, target: PID<never, never> | ProcessName | Alias): Problem | undefined {
    return this.#ask({
      kind: FRAME.watch,
      ref,
      write: (w) => {
        w.uint(watch);
        w.address(target);
      },
    });
  }

  subscribe(ref: Ref, watch: number, event: EventName): Problem | undefined {
    return this.#ask({
      kind: FRAME.subscribe,
      ref,
      write: (w) => {
        w.uint(watch);
        w.key(event.name);
      },
    });
  }

  /** Asks for a spawn or the start of an application. `watch` is the number of a link to what is spawned; 0 = none. */
  start(kind: typeof FRAME.spawn | typeof FRAME.application, ref: Ref, start: FarStart): Problem | undefined {
    return this.#ask({
      kind,
      ref,
      write: (w) => {
        w.address(start.from);
        w.key(start.name);
        w.uint(start.watch);
        writePayload(w, start.options, this.maxMessageBytes);
      },
    });
  }

  unwatch(watch: number): void {
    this.#put((w) => {
      w.byte(FRAME.unwatch);
      w.uint(watch);
    });
  }

  ended(watch: number, from: PID, reason: Reason): void {
    this.#put((w) => {
      w.byte(FRAME.ended);
      w.uint(watch);
      w.address(from);
      encode(w, reason);
    });
  }

  ping(): void {
    this.#put((w) => w.byte(FRAME.ping));
  }

  pong(): void {
    this.#put((w) => w.byte(FRAME.pong));
  }

  #ask({ kind, ref, write }: Request): Problem | undefined {
    if (this.outbox.isFull) return "actor.link_full";
    return this.#put((w) => {
      w.byte(kind);
      w.ref(ref);
      write(w);
    });
  }

  #put(write: (w: Writer) => void): Problem | undefined {
    const w = this.#writer;
    w.begin();
    try {
      write(w);
    } catch (error) {
      w.abort();
      return unwritable(error);
    }
    this.outbox.wrote();
    return undefined;
  }
}

/** A spawn or the start of an application, as it is asked for. */
export interface FarStart {
  readonly from: PID;
  readonly name: string;
  readonly watch: number;
  readonly options: object;
}

function head(kind: number, priority: Priority): number {
  return kind | (PRIORITIES.indexOf(priority) << PRIORITY_SHIFT);
}
