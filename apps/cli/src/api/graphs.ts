/** What the API answers with about graphs, as far as the command line reads it. */
export interface GraphView {
  readonly name: string;
  readonly state: string;
  readonly desired: string;
  readonly version: number;
  readonly hash: string;
  readonly epoch: number;
  readonly appliedAt: string;
  readonly reason?: string;
  readonly failures: number;
  readonly document: { readonly expression?: string };
}

export interface VersionView {
  readonly version: number;
  readonly hash: string;
  readonly appliedAt: string;
  readonly document: { readonly expression?: string };
}

/** The numbers of a graph. */
export interface StatusView {
  readonly state: string;
  readonly reason?: string;
  readonly epoch: number;
  readonly at: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: string;
    readonly out: number;
    readonly waiting: number;
    readonly hasRoom: boolean;
    readonly counts: Readonly<Record<string, number>>;
    readonly inFlight?: number;
    readonly oldestAgeMs?: number;
  }[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly records: number;
    readonly bytes: number;
    readonly refusals: number;
  }[];
}

export interface ActionView {
  readonly name: string;
  readonly kind: string;
  readonly summary: string;
  readonly version?: number;
  readonly hash?: string;
  readonly bytes?: number;
  readonly schema?: object;
}

/** A line that a stage wrote. */
export interface StageLineView {
  readonly node: string;
  readonly level: string;
  readonly text: string;
  readonly at: string;
}

/** A record as a tap shows it: text, bytes in base64, or a value. */
export interface TappedView {
  readonly id: string;
  readonly at: string;
  readonly text?: string;
  readonly base64?: string;
  readonly value?: unknown;
}
