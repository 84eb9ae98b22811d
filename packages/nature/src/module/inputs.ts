import { type CallContext, coreError, type Member, type MemberState, type Message } from "@metanode/core";
import { idOfOutput } from "../instance/hash.ts";
import type { InstanceInput, Locator } from "../instance/instance.ts";
import type { Nature } from "../nature/index.ts";
import type { InputSpec } from "./options.ts";

/** Stands for the message in the lineage of what came of it. */
const MESSAGE_META = "S:message:1";

/** What the sender of a message is told. */
export interface InputAnswer {
  readonly meta: string;
  readonly id: string;
  readonly para: string;
  readonly version: number;
  /** False = it was there already. */
  readonly isNew: boolean;
}

/** What an intake stands on. */
export interface InputGround {
  /** Undefined before the start and after the end. */
  readonly nature: () => Nature | undefined;
  readonly isDraining: () => boolean;
}

/** A message type that is an input to a meta, as a member of the node. */
export class InputMember implements Member {
  readonly id: string;
  readonly #spec: InputSpec;
  readonly #ground: InputGround;
  #inFlight = 0;

  constructor(spec: InputSpec, ground: InputGround) {
    this.id = `nature:${spec.meta}`;
    this.#spec = spec;
    this.#ground = ground;
  }

  get state(): MemberState {
    return this.#ground.isDraining() || this.#ground.nature() === undefined ? "draining" : "ready";
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @throws {MetanodeError} node.closed, and what {@link Nature.input} throws */
  async call(message: Message, _context: CallContext): Promise<InputAnswer> {
    const nature = this.#ground.nature();
    if (nature === undefined || this.#ground.isDraining()) {
      throw coreError("node.closed", "the workflows of this node are stopping; send again after its restart", {
        retryAfterMs: 1_000,
        details: { dispatched: false },
      });
    }
    this.#inFlight++;
    try {
      const origin = originOf(message);
      const { instance, isNew } = await nature.input(this.#inputOf(nature, message, origin), { origin });
      const { meta, id, para, version } = instance;
      return { meta, id, para, version, isNew };
    } finally {
      this.#inFlight--;
    }
  }

  #inputOf(nature: Nature, message: Message, origin: Locator): InstanceInput {
    const { meta, map } = this.#spec;
    const { isStateful } = nature.registry.catalog.meta(meta);
    // What runs for it later is part of the same trace.
    const trace: Readonly<Record<string, string>> = message.traceparent === undefined ? {} : { traceparent: message.traceparent };
    const preset: Omit<InstanceInput, "meta"> = {
      content: contentOf(message),
      ...(isStateful && message.subject !== undefined
        ? { para: message.subject }
        : { id: idOfOutput({ from: origin, to: meta, index: 0 }) }),
      context: trace,
    };
    const mapped = map?.(message);
    if (mapped === undefined) return { meta, ...preset };
    const given = { ...mapped, context: { ...trace, ...mapped.context } };
    // Whoever says what it is, says which one it is: the two belong together.
    const { id: _id, para: _para, ...rest } = preset;
    return given.id === undefined && given.para === undefined ? { meta, ...preset, ...given } : { meta, ...rest, ...given };
  }
}

/** The same message, or the same intention, is the same origin. */
function originOf({ source, type, id, idempotencykey }: Message): Locator {
  const key = idempotencykey ?? id;
  const from = { meta: MESSAGE_META, id: "0", para: `${source} ${key}`, version: 0 };
  return { meta: MESSAGE_META, id: idOfOutput({ from, to: type, index: 0 }), para: "", version: 0 };
}

function contentOf({ data }: Message): string {
  if (data === undefined) return "";
  if (typeof data === "string") return data;
  return data instanceof Uint8Array ? Buffer.from(data).toString() : JSON.stringify(data);
}
