import { actorError, knownOptions, wholeNumber } from "../errors.ts";
import { TypeTable, type WireTypes } from "./codec/types.ts";
import type { Link } from "./link.ts";

/** What a node lets others do, and understands. Both sides of a connection say theirs. */
export interface NodeFlags {
  /** Others may spawn here what `enableSpawn` names. */
  readonly spawn: boolean;
  /** Others may start the applications here that `enableApplicationStart` names. */
  readonly applicationStart: boolean;
  /** Senders may ask whether their mail arrived. */
  readonly importantDelivery: boolean;
}

/** How a kernel meets others. */
export interface NetworkOptions {
  /**
   * The way to a node, taken on first use: a link, or a promise of one, to the kernel with this name; nothing if there is
   * no way. @default there is none: links are handed to `connect`
   */
  resolve?: (node: string) => Link | Promise<Link> | undefined;
  /** The secret that kernels share; proved without being sent. Needed over links that are not trusted. @default none */
  cookie?: string;
  /** Largest message that others may send here, in bytes, uncompressed. @default 16 MiB */
  maxMessageBytes?: number;
  /**
   * Bytes that wait for one node at most; mail beyond that is refused with `actor.link_full`, events beyond that are lost.
   * @default 64 MiB
   */
  maxOutgoingBytes?: number;
  /** A node that says nothing for so long is asked for a sign of life, and is lost after the third time. 0 = never. @default 15_000 */
  keepAliveMs?: number;
  /** @default all on */
  flags?: Partial<NodeFlags>;
  /** Whether the environment of whoever asks goes along with a spawn, or the start of an application. @default false, false */
  exposeEnv?: { readonly spawn?: boolean; readonly applicationStart?: boolean };
  /** Classes whose instances keep their class; the other side must know them by the same names. @default none */
  types?: WireTypes;
}

/** The options of a network with their defaults. */
export interface NetworkSettings {
  readonly resolve: ((node: string) => Link | Promise<Link> | undefined) | undefined;
  readonly cookie: string | undefined;
  readonly maxMessageBytes: number;
  readonly maxOutgoingBytes: number;
  readonly keepAliveMs: number;
  readonly flags: NodeFlags;
  readonly exposeEnv: { readonly spawn: boolean; readonly applicationStart: boolean };
  readonly types: TypeTable;
}

const KNOWN = ["resolve", "cookie", "maxMessageBytes", "maxOutgoingBytes", "keepAliveMs", "flags", "exposeEnv", "types"];
const FLAGS = ["spawn", "applicationStart", "importantDelivery"];

/** @throws actor.incorrect – an unknown name or a wrong value. */
export function resolveNetworkOptions(given: NetworkOptions = {}): NetworkSettings {
  knownOptions("network", given, KNOWN);
  const { flags = {}, exposeEnv = {} } = given;
  knownOptions("network.flags", flags, FLAGS);
  knownOptions("network.exposeEnv", exposeEnv, ["spawn", "applicationStart"]);
  if (given.cookie === "") throw actorError("actor.incorrect", "network.cookie is empty, which everybody could guess");
  return Object.freeze({
    resolve: given.resolve,
    cookie: given.cookie,
    maxMessageBytes: wholeNumber("network.maxMessageBytes", given.maxMessageBytes ?? 16 * 1024 * 1024, 1),
    maxOutgoingBytes: wholeNumber("network.maxOutgoingBytes", given.maxOutgoingBytes ?? 64 * 1024 * 1024, 1),
    keepAliveMs: wholeNumber("network.keepAliveMs", given.keepAliveMs ?? 15_000, 0),
    flags: { spawn: true, applicationStart: true, importantDelivery: true, ...flags },
    exposeEnv: { spawn: exposeEnv.spawn ?? false, applicationStart: exposeEnv.applicationStart ?? false },
    types: new TypeTable(given.types),
  });
}
