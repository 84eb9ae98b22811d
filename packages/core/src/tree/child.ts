import { coreError, type MetanodeError } from "../errors.ts";
import { CALL_MODE } from "../link/frames.ts";
import type { CallContext, Member, MemberState } from "../member/member.ts";
import type { Message } from "../message/message.ts";
import type { NodeCard } from "./card.ts";
import { LinkLives } from "./flapping.ts";
import type { NodeLink } from "./node-link.ts";
import type { Dial } from "./ownership.ts";

/** What a manager remembers of a child. */
export interface ChildRecord {
  readonly id: string;
  /** Unique among its siblings; a part of its path. */
  readonly name: string;
  /**
   * `pending` waits for approval. `adopting` has been asked and may have said yes. `managed`. `releasing` is to be let go, `moving` to
   * be handed on.
   */
  readonly state: "pending" | "adopting" | "managed" | "releasing" | "moving";
  /** 0 until it is managed. */
  readonly epoch: number;
  readonly key: string;
  readonly operation: string;
  /** Present where this side dials. */
  readonly dial?: Dial | undefined;
  /** As it last said. */
  readonly card?: NodeCard | undefined;
}

/** The state of a child for people: the record's, or what is seen of its link. */
export type ChildState = ChildRecord["state"] | "maintenance" | "suspect" | "unreachable" | "quarantined";

const DRAIN_RETRY_MS = 200;

/** A child node, as a member: what is sent to it goes over its link. */
export class Child implements Member {
  record: ChildRecord;
  link: NodeLink | undefined;
  /** What is seen of the link. */
  sight: "good" | "suspect" | "unreachable" = "unreachable";
  lastSeenMs: number;
  readonly lives = new LinkLives();
  /** Takes no new calls: it is about to be released. */
  isDraining = false;
  /** Messages on their way to it. */
  inFlight = 0;
  /** Told when the child becomes unreachable. */
  readonly onLost = new Set<(error: MetanodeError) => void>();
  // The session ends every call by its deadline.
  readonly keepsDeadlines = true;

  constructor(record: ChildRecord, nowMs: number) {
    this.record = record;
    this.lastSeenMs = nowMs;
  }

  get id(): string {
    return this.record.id;
  }

  get state(): MemberState {
    if (this.record.state !== "managed" && this.record.state !== "moving" && this.record.state !== "releasing") return "down";
    if (this.link === undefined || this.sight === "unreachable" || this.lives.isQuarantined) return "down";
    if (this.isDraining) return "draining";
    if (this.record.card?.maintenance !== undefined) return "maintenance";
    return this.sight === "suspect" ? "busy" : "ready";
  }

  /** It was adopted, so messages may go to it; before, its link carries nothing but the adoption. */
  get isAdopted(): boolean {
    return this.record.epoch > 0;
  }

  /** For people. */
  get condition(): ChildState {
    const { state, card } = this.record;
    if (state !== "managed") return state;
    if (this.lives.isQuarantined) return "quarantined";
    if (this.sight !== "good") return this.sight;
    return card?.maintenance === undefined ? "managed" : "maintenance";
  }

  call(message: Message, context: CallContext): unknown {
    const { session } = this.#live();
    this.inFlight++;
    return session.call(message, context, CALL_MODE.unary).finally(() => this.inFlight--);
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<unknown> {
    const { session } = this.#live();
    this.inFlight++;
    try {
      yield* session.stream(message, context);
    } finally {
      this.inFlight--;
    }
  }

  /** Its link. @throws {MetanodeError} node.unreachable, node.maintenance – it is about to be released */
  #live(): NodeLink {
    if (this.link === undefined || this.sight === "unreachable") throw this.lostError();
    if (!this.isDraining) return this.link;
    throw coreError("node.maintenance", `node ${this.record.name} is being let go and takes nothing new`, {
      retryAfterMs: DRAIN_RETRY_MS,
      details: { node: this.id, name: this.record.name },
    });
  }

  lostError(): MetanodeError {
    const seen = new Date(this.lastSeenMs).toISOString();
    return coreError("node.unreachable", `node ${this.record.name} cannot be reached; it was last heard of at ${seen}`, {
      details: { node: this.id, name: this.record.name },
    });
  }

  /** Marks it as lost; whoever waits for it is told. */
  lose(): void {
    this.sight = "unreachable";
    const error = this.lostError();
    for (const listener of [...this.onLost]) listener(error);
  }
}
