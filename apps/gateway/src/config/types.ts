import type { ProcessorSpec } from "@metanode/core";
import type { InputSpec, OutputSpec } from "@metanode/nature/module";
import type { Role } from "../access/roles.ts";
import type { ActorSpec } from "../actors.ts";

/**
 * The one configuration of a gateway. Every key is also an environment variable, named by its path:
 * `listen.port` is `METANODE_LISTEN_PORT`, `durable.maxAttempts` is `METANODE_DURABLE_MAX_ATTEMPTS`.
 * What a flag says comes before the environment, the environment before the file, the file before the default.
 */
export interface GatewayConfig {
  /** The node's name: lower-case letters, digits and `-`. @default "node" */
  name?: string;
  /** The data folder, held by one node at a time. @default ".metanode" in the working directory */
  data?: string;
  listen?: {
    /** The address to listen on; only this machine can reach the default. @default "127.0.0.1" */
    host?: string;
    /** 0 takes any free port. @default 7400 */
    port?: number;
    /** Requests that each token may make in a second; 0 for any number. @default 0 */
    rateLimit?: number;
  };
  auth?: {
    /** An OpenID Connect issuer whose access tokens (JWTs) count as well, besides those of the node. */
    oidc?: {
      /** As it stands in the tokens, `https://…`; `http://` only on this machine. @default none */
      issuer?: string | undefined;
      /** What its tokens for this node say in `aud`. Needed with an issuer. */
      audience?: string | undefined;
      /** The claim that says `viewer`, `operator` or `admin`, or a list with them; dots lead into objects. @default "roles" */
      rolesClaim?: string;
      /** Roles by what that claim says, such as `{"ops-team": "operator"}`. @default {} – the claim says them by their names */
      roles?: Readonly<Record<string, Role>>;
    };
  };
  log?: {
    /** @default "info" */
    level?: LogLevel;
  };
  /** Time a call may take when its caller sets none. @default 30_000 */
  callTimeoutMs?: number;
  /** Largest payload of a message, in bytes. @default 4 MiB */
  maxMessageBytes?: number;
  /** Nodes and processors that a message may pass. @default 128 */
  hopLimit?: number;
  durable?: {
    /** How long one attempt at a durable message may take. @default 30_000 */
    timeoutMs?: number;
    /** Attempts before a message becomes a dead letter. @default 10 */
    maxAttempts?: number;
    /** Delay before attempt n + 1 is backoffMs[n - 1], the last one repeating. @default [100, 500, 2_000, 10_000, 30_000] */
    backoffMs?: readonly number[];
    /** Messages of one type that are being handled at a time. @default 256 */
    maxInFlight?: number;
  };
  /** Started with the node. In a file, relative `file` and `cwd` are meant from the folder of that file. */
  processors?: readonly ProcessorSpec[];
  /** Spawned with the node, at the top of its kernel. In a file, a relative `file` is meant from the folder of that file. */
  actors?: readonly ActorSpec[];
  /** Workflows. A node that says nothing here runs none and pays nothing for them. */
  nature?: {
    /** @default true if another setting of nature is given, or `nature: {}` */
    enabled?: boolean;
    /** A PostgreSQL database that nodes share; also DATABASE_URL. @default a SQLite database in the data folder */
    databaseUrl?: string | undefined;
    /**
     * TypeScript or JavaScript files that export flows (`defineFlow`): declared at the start, with their functions as local executors. What
     * they do not declare stays. In a file, a relative path is meant from the folder of that file. @default []
     */
    flows?: readonly string[];
    /** Message types that are inputs: the meta of each, or more about it. @default {} */
    inputs?: Readonly<Record<string, string | WorkflowInput>>;
    /** Metas whose instances are told to the node as durable messages, at least once each: the type, or more about it. @default {} */
    outputs?: Readonly<Record<string, string | WorkflowOutput>>;
    /** Conversions at a time. @default 64 */
    concurrency?: number;
    /** Where executors over HTTP post what they answer later. @default this gateway's own address */
    callbackUrl?: string | undefined;
    /** Answers at the addresses and in the shapes of Nature (`/input`, `/get/byId` …) as well. @default false */
    compat?: boolean;
    /** Whether callers of those show the token; what was written for Nature has none. @default true */
    compatToken?: boolean;
  };
  /** Graphs of programs and functions. */
  streams?: {
    /** Whether graphs can be applied and run. What they need is loaded when the first is asked for. @default true */
    enabled?: boolean;
    /**
     * TypeScript or JavaScript files whose exports are actions: functions that work on records, and whole actions, by their names.
     * In a file, a relative path is meant from the folder of that file. @default []
     */
    actions?: readonly string[];
    /** Answers at the addresses and in the shapes of GoStreaming's meta node (`/v1/schemas` …) as well. @default false */
    compat?: boolean;
    /** Whether callers of those show the token; what was written for GoStreaming has none. @default true */
    compatToken?: boolean;
  };
  /** Other nodes: those that this one manages, and the one that manages it. */
  tree?: {
    /** Where to listen for other nodes: `host:port`, or `nats:<name>` with `nats`. @default from the first token on, any free port of this machine's loopback */
    listen?: string | undefined;
    /** The address that other nodes dial, where it is not the one it listens on. */
    advertise?: string | undefined;
    /** A server of NATS, `nats://host:port`, where nodes meet that cannot dial each other; see docs/tree.md. */
    nats?: string | undefined;
    /** A token of the node that is to manage this one; of no meaning once it does. */
    join?: string | undefined;
    /** What selectors of nodes go by, such as `{"region": "eu"}`; those set at run time count from then on. @default {} */
    labels?: Readonly<Record<string, string>>;
    /** Nodes below this one that may be in maintenance at a time; 0 for half of them. @default 0 */
    maxInMaintenance?: number;
    /** How long this node, when it is lost, keeps its right to those below it, in milliseconds; then its standby takes over. @default 30_000 */
    leaseMs?: number;
    /** The name of the child that is to take this node's place when it is lost. */
    standby?: string | undefined;
  };
  /** What callers of `/api` show. @default made at the first start and kept in the data folder, file `token` */
  token?: string;
}

/** What a message type that is an input is for: the meta, what people read of it, and the JSON Schema (2020-12) of its payload. */
export type WorkflowInput = Pick<InputSpec, "meta" | "description" | "inputSchema">;

/** What is told of the instances of a meta: the message type, which of them, and what of each. */
export type WorkflowOutput = OutputSpec;

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Where a value came from. */
export interface ValueSource {
  readonly kind: "default" | "file" | "environment" | "option";
  /** The file, or the name of the variable or flag. */
  readonly from?: string;
}

/** A configuration that was checked, with every default filled in and every path absolute. */
export interface ResolvedConfig {
  readonly values: ConfigValues;
  /** By path of the setting, such as `listen.port`. */
  readonly sources: ReadonlyMap<string, ValueSource>;
  /** The file that was read, if there was one. */
  readonly file: string | undefined;
}

/** Every value of a gateway's configuration. */
export interface ConfigValues {
  readonly name: string;
  /** Absolute. */
  readonly data: string;
  readonly listen: { readonly host: string; readonly port: number; readonly rateLimit: number };
  readonly auth: {
    readonly oidc: {
      readonly issuer: string | undefined;
      readonly audience: string | undefined;
      readonly rolesClaim: string;
      readonly roles: Readonly<Record<string, Role>>;
    };
  };
  readonly log: { readonly level: LogLevel };
  readonly callTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly hopLimit: number;
  readonly durable: {
    readonly timeoutMs: number;
    readonly maxAttempts: number;
    readonly backoffMs: readonly number[];
    readonly maxInFlight: number;
  };
  readonly processors: readonly ProcessorSpec[];
  readonly actors: readonly ActorSpec[];
  readonly nature: NatureValues;
  readonly streams: StreamsValues;
  readonly tree: TreeValues;
  /** Absent where the one in the data folder counts. */
  readonly token: string | undefined;
}

/** How a node runs workflows. */
export interface NatureValues {
  readonly enabled: boolean;
  /** Absent = SQLite in the data folder. */
  readonly databaseUrl: string | undefined;
  /** Absolute. */
  readonly flows: readonly string[];
  /** By message type. */
  readonly inputs: Readonly<Record<string, string | WorkflowInput>>;
  /** By meta. */
  readonly outputs: Readonly<Record<string, string | WorkflowOutput>>;
  readonly concurrency: number;
  /** Absent = the gateway's own. */
  readonly callbackUrl: string | undefined;
  readonly compat: boolean;
  readonly compatToken: boolean;
}

/** How a node stands to others. */
export interface TreeValues {
  readonly listen: string | undefined;
  readonly advertise: string | undefined;
  readonly nats: string | undefined;
  readonly join: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxInMaintenance: number;
  readonly leaseMs: number;
  readonly standby: string | undefined;
}

/** How a node runs graphs. */
export interface StreamsValues {
  readonly enabled: boolean;
  /** Absolute. */
  readonly actions: readonly string[];
  readonly compat: boolean;
  readonly compatToken: boolean;
}
