import { type CallContext, coreError, type Member, type MemberState, type Message } from "@metanode/core";
import type { PID } from "../identity/index.ts";
import type { NodeActor } from "./node-actor.ts";
import type { ResolvedHandle } from "./options.ts";

/** What members of a node's actors stand on. */
export interface MemberGround {
  readonly whereIs: (name: string) => PID | undefined;
  /** Undefined before the start and after the end. */
  readonly bridge: () => NodeActor | undefined;
  readonly isDraining: () => boolean;
}

/** An actor, by its name, as a member of the node: whoever bears the name when a message comes gets it. */
export class ActorMember implements Member {
  readonly id: string;
  readonly keepsDeadlines = true;
  readonly #handle: ResolvedHandle;
  readonly #ground: MemberGround;

  constructor(handle: ResolvedHandle, ground: MemberGround) {
    this.id = `actor:${handle.actor}`;
    this.#handle = handle;
    this.#ground = ground;
  }

  get state(): MemberState {
    if (this.#ground.isDraining()) return "draining";
    return this.#ground.whereIs(this.#handle.actor) === undefined ? "down" : "ready";
  }

  get inFlight(): number {
    return this.#ground.bridge()?.inFlight(this.#handle.actor) ?? 0;
  }

  /** @throws {MetanodeError} node.closed, processor.down, actor.mailbox_full, and what the actor answers with */
  call(message: Message, context: CallContext): unknown {
    const bridge = this.#ground.bridge();
    if (bridge === undefined || this.#ground.isDraining()) {
      const details = { actor: this.#handle.actor, dispatched: false };
      throw coreError("node.closed", "the actors of this node are stopping; send again after its restart", {
        retryAfterMs: 1_000,
        details,
      });
    }
    const { actor, mode, pass } = this.#handle;
    const request = pass === "data" ? message.data : { ...message, deadline: context.deadlineMs };
    const target = this.#ground.whereIs(actor);
    if (mode === "call") return bridge.ask({ actor, request, context }, target);
    bridge.tell({ actor, request, context }, target);
    return undefined;
  }
}
