import { coreError } from "../errors.ts";
import { CALL_MODE } from "../link/frames.ts";
import type { IncomingContext } from "../link/incoming.ts";
import type { Message } from "../message/message.ts";
import { flowsDown, isOrder } from "../message/orders.ts";
import type { Adoptions } from "./adoption.ts";
import type { NodeCard } from "./card.ts";
import type { Certificates } from "./certificates.ts";
import type { Children } from "./children.ts";
import type { Enrolment } from "./enrolment.ts";
import type { HoldRequest } from "./holds.ts";
import type { TreeMeans } from "./means.ts";
import { type NodeLink, STEP, STEP_PREFIX } from "./node-link.ts";
import type { AdoptStep, AttachStep, MovedStep, SuccessorStep, TransferStep, Upward } from "./upward.ts";
import type { VisitAsk, Visitor } from "./visit.ts";
import type { StandStep, Ward, WardStep } from "./ward.ts";

export interface StepsParts {
  readonly means: TreeMeans;
  readonly certificates: Certificates;
  readonly enrolment: Enrolment;
  readonly upward: Upward;
  readonly children: Children;
  readonly adoptions: Adoptions;
  readonly ward: Ward;
  readonly visitor: Visitor;
  /** @throws {MetanodeError} call.unsupported – this node manages nobody */
  readonly needManager: () => void;
}

/**
 * What neighbours may say over a link, and who answers it.
 *
 * D1. Orders flow down: a child cannot send its manager any, and no work of the platform, only messages of users and mail of actors.
 */
export class Steps {
  readonly #parts: StepsParts;

  constructor(parts: StepsParts) {
    this.#parts = parts;
  }

  /** What came over a link: a step between neighbours, or a message for this node or others behind it. */
  receive(link: NodeLink, message: Message, context: IncomingContext): unknown {
    if (message.type.startsWith(STEP_PREFIX)) return this.#step(link, message, context);
    // What a child sends at once after its answer to the adoption may be read before the answer has been taken in.
    const adoption = this.#parts.adoptions.underWay(link);
    if (adoption === undefined) return this.#take(link, message, context);
    if (context.mode === CALL_MODE.stream) return this.#streamAfter(adoption, link, message, context);
    return adoption.then(() => this.#take(link, message, context));
  }

  async *#streamAfter(
    adoption: Promise<void>,
    link: NodeLink,
    message: Message,
    context: IncomingContext,
  ): AsyncGenerator<unknown> {
    await adoption;
    yield* this.#take(link, message, context) as AsyncIterable<unknown>;
  }

  #take(link: NodeLink, message: Message, context: IncomingContext): unknown {
    this.#mayOrder(link, message.type);
    const { router } = this.#parts.means;
    const options = { signal: context.signal };
    switch (context.mode) {
      case CALL_MODE.stream:
        return router.stream(message, options);
      case CALL_MODE.cast:
        router.cast(message);
        return undefined;
      case CALL_MODE.send:
        return router.send(message);
      default:
        return router.call(message, options);
    }
  }

  /** @throws {MetanodeError} auth.denied, tree.stale_epoch */
  #mayOrder(link: NodeLink, type: string): void {
    const isEnding = link.isRetiring && link.isEstablished;
    if (link.peer.role === "parent") {
      if (link === this.#parts.upward.link || (isEnding && !isOrder(type))) return;
      throw coreError("tree.stale_epoch", "the link is not that of the present manager", {
        details: { epoch: this.#parts.upward.ownership.epoch },
      });
    }
    const child = this.#parts.children.get(link.peer.id);
    const isKnown = child?.link === link && child.record.epoch > 0;
    if (!isKnown && !isEnding) throw coreError("auth.denied", "the node is not adopted yet");
    if (flowsDown(type)) {
      throw coreError("auth.denied", `a child may not send its manager ${type}; orders flow down the tree`);
    }
  }

  #step(link: NodeLink, { type, data }: Message, context: IncomingContext): unknown {
    if (type === STEP.enrol) return this.#parts.certificates.issue(link, data as { publicKey: string });
    if (type === STEP.renew) return this.#parts.enrolment.renew(link);
    if (link.peer.role === "parent") {
      switch (type) {
        case STEP.attach:
          return this.#parts.upward.attach(link, data as AttachStep);
        case STEP.adopt:
          return this.#parts.upward.adopt(link, data as AdoptStep);
        case STEP.release:
          this.#parts.upward.release(link, data as { epoch: number });
          return {};
        case STEP.transfer:
          return this.#parts.upward.transfer(link, data as TransferStep);
        case STEP.place:
          this.#parts.upward.placed(link, data as AttachStep);
          return {};
        case STEP.successor:
          this.#parts.upward.succeededBy(link, data as SuccessorStep);
          return {};
        case STEP.stand:
          this.#parts.needManager();
          return this.#parts.ward.stand(link, data as StandStep);
        case STEP.ward:
          this.#parts.ward.told(link, data as WardStep);
          return {};
        case STEP.handover:
          this.#parts.ward.takeOver(link);
          return {};
        case STEP.visit:
          this.#mayOrder(link, type);
          return this.#parts.visitor.visit(data as VisitAsk, context);
        default:
      }
    } else {
      if (type === STEP.unhold && link.isEstablished) {
        // Also from one that was a child when it asked for the hold, and is none any more.
        this.#parts.upward.unhold((data as { operation: string }).operation);
        return {};
      }
      const child = this.#parts.children.get(link.peer.id);
      if (child?.link !== link) throw coreError("tree.not_managed", "the link is not the child's present one");
      switch (type) {
        case STEP.changed:
          this.#parts.children.learn(child, data as NodeCard);
          return {};
        case STEP.moved:
          this.#parts.adoptions.moved(link, data as MovedStep);
          return {};
        case STEP.hold:
          return this.#parts.upward.hold(data as HoldRequest);
        default:
      }
    }
    throw coreError("message.unknown_type", `a ${link.peer.role} sends no ${type}`);
  }
}
