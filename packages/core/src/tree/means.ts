import type { Clock } from "../clock.ts";
import type { Channel } from "../link/channel.ts";
import type { ServerTls } from "../link/grpc.ts";
import type { VersionRange } from "../link/handshake.ts";
import type { LinkAddress, LinkServer, LinkTransport } from "../link/transport.ts";
import type { Random } from "../member/random.ts";
import type { Router } from "../router/router.ts";
import type { Acquaintance, Trust } from "../trust/meet.ts";
import type { NodeIdentity } from "./card.ts";
import type { TreeStore } from "./store.ts";

/** Carries links between nodes. Implementations: gRPC, NATS, memory, and the network of the simulator. */
export interface NodeTransport extends LinkTransport {
  /** What it speaks. @default the versions of this release */
  readonly versions?: VersionRange;
  /** With `tls`, others than this machine can be let in. @throws {MetanodeError} node.port_in_use, config.invalid */
  listen(address: LinkAddress, onChannel: (channel: Channel) => void, tls?: ServerTls): Promise<LinkServer>;
  /** With `trust`, a node of another authority is not spoken to. */
  dial(address: LinkAddress, trust?: Trust): Channel;
  /** Finds the authority that a token names. @throws {MetanodeError} auth.unauthenticated, node.unreachable */
  meet?(address: LinkAddress, acquaintance: Acquaintance, timeoutMs: number): Promise<Trust>;
  /** Whether a link there ought to have certificates. @default none has, for a transport that cannot meet anybody */
  requiresTls?(address: LinkAddress): boolean;
}

/** Times of the tree, in milliseconds. */
export interface TreeTimes {
  /** Between two pings of a link. A link that is silent for 2 is suspect, for 5 unreachable, for 10 cut. @default 1_000 */
  heartbeatMs: number;
  /** How long a lost manager keeps its right. @default 30_000 */
  leaseMs: number;
  /** Longest wait for the answer to a step between neighbours. @default 5_000 */
  stepMs: number;
  /** First pause before a lost link is dialled again; doubles up to ten times as long, half of it left to chance. @default 200 */
  redialMs: number;
  /** How long a child whose links break one after the other gets no work (see `flapping.ts`). @default 30_000 */
  quarantineMs: number;
}

export const DEFAULT_TIMES: TreeTimes = {
  heartbeatMs: 1_000,
  leaseMs: 30_000,
  stepMs: 5_000,
  redialMs: 200,
  quarantineMs: 30_000,
};

/** What happens in a tree, as its node sees it. */
export interface TreeEvent {
  readonly kind:
    | "pending"
    | "adopted"
    | "attached"
    | "suspect"
    | "unreachable"
    | "quarantined"
    | "returned"
    | "released"
    | "moved"
    | "refused"
    | "owned"
    | "orphaned"
    | "freed"
    | "maintenance"
    | "overdue"
    | "enrolled"
    /** A child stands by for its manager; it has taken its place; the manager knows, and is one no more. */
    | "standby"
    | "succeeded"
    | "fenced";
  /** The node that it happened to. */
  readonly node: string;
  readonly path: string;
  /** Of the ownership in question; 0 where there is none. */
  readonly epoch: number;
  readonly text: string;
}

/** What the parts of a tree stand on. */
export interface TreeMeans {
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: TreeStore;
  readonly router: Router;
  readonly transport: NodeTransport;
  readonly times: TreeTimes;
  /** Makes ids and keys: 128 bits or more. */
  readonly newId: () => string;
  readonly report: (event: TreeEvent) => void;
}
