import { actorError } from "../../errors.ts";

/** A class whose instances keep their class when they go to another node. */
export interface WireType<T extends object = object> {
  readonly class: abstract new (...args: never[]) => T;
  /** What is sent: anything that can be. @default the own fields of the instance */
  encode?(instance: T): unknown;
  /** Makes the instance again; what it throws refuses the message. @default an instance with these fields, without its constructor */
  decode?(sent: unknown): T;
}

/** Classes by their names on the wire, each with its way of being sent if the default will not do. */
export type WireTypes = Readonly<Record<string, WireType | (abstract new (...args: never[]) => object)>>;

/** One type that can be sent, as the codec uses it. */
export interface KnownType {
  readonly name: string;
  readonly encode: (instance: object) => unknown;
  readonly decode: (sent: unknown) => unknown;
}

/** The registered types of a kernel. */
export class TypeTable {
  readonly #byClass = new Map<unknown, KnownType>();
  readonly #byName = new Map<string, KnownType>();

  /** @throws actor.incorrect – no class, or one that is registered under two names. */
  constructor(types: WireTypes = {}) {
    for (const [name, given] of Object.entries(types)) {
      const type: WireType = typeof given === "function" ? { class: given } : given;
      if (name === "" || typeof type.class !== "function") throw actorError("actor.incorrect", `types.${name} names no class`);
      if (this.#byClass.has(type.class)) throw actorError("actor.incorrect", `types.${name}: its class has another name already`);
      const known: KnownType = {
        name,
        encode: (instance) => (type.encode === undefined ? { ...instance } : type.encode(instance)),
        decode: (sent) =>
          type.decode === undefined ? Object.assign(Object.create(type.class.prototype), sent) : type.decode(sent),
      };
      this.#byClass.set(type.class, known);
      this.#byName.set(name, known);
    }
  }

  ofInstance(value: object): KnownType | undefined {
    return this.#byClass.size === 0 ? undefined : this.#byClass.get(value.constructor);
  }

  ofName(name: string): KnownType | undefined {
    return this.#byName.get(name);
  }
}
