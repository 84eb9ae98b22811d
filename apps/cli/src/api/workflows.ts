/** What the workflow routes of the HTTP API answer with, as far as the command line reads it. */

/** A list of what is declared. */
export interface DeclaredItems<T> {
  readonly version: number;
  readonly items: readonly T[];
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

export interface WorkflowMetaView {
  readonly meta: string;
  readonly description?: string;
  readonly states?: string;
  readonly fields?: object;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly enabled: boolean;
  readonly problem?: string;
  readonly usedBy?: { readonly relations: readonly string[]; readonly metas: readonly string[]; readonly instances: boolean };
}

export interface RelationView {
  readonly from: string;
  readonly to: string;
  readonly settings: Readonly<Record<string, unknown>> & {
    readonly executor?: { readonly protocol: string; readonly url: string };
    readonly description?: string;
  };
  readonly enabled: boolean;
  readonly problem?: string;
}

export interface LocatorView {
  readonly meta: string;
  readonly id: string;
  readonly para: string;
  readonly version: number;
}

export interface InstanceView extends LocatorView {
  readonly key: string;
  readonly content: string;
  readonly context: Readonly<Record<string, string>>;
  readonly sysContext: Readonly<Record<string, string>>;
  readonly states: readonly string[];
  readonly from?: LocatorView;
  readonly createdAt: string;
}

export interface StoredView {
  readonly instance: InstanceView;
  readonly isNew: boolean;
  readonly flow?: {
    readonly status: "stored" | "ended" | "timeout";
    readonly instance?: InstanceView;
    readonly failed: number;
  };
}

export interface TaskView {
  readonly id: string;
  readonly upstream: LocatorView;
  readonly to: string;
  readonly mission: Readonly<Record<string, unknown>>;
  readonly createdAt: string;
  readonly dueAt: string;
  readonly attempts: number;
  readonly isOwned?: boolean;
  readonly error?: string;
}

export interface FailedTaskView extends TaskView {
  readonly error: string;
  readonly code: string;
  readonly failedAt: string;
}

export interface PlanView {
  readonly version: number;
  readonly changes: readonly unknown[];
  readonly text: string;
}

export interface WorkflowStatsView {
  readonly version: number;
  readonly metas: number;
  readonly relations: number;
  readonly problems: readonly { readonly what: string; readonly text: string }[];
  readonly awaySince?: string;
  readonly engine: Readonly<Record<string, number>>;
  readonly load: Readonly<Record<string, number>>;
  readonly backlog: {
    readonly owned: number;
    readonly due: number;
    readonly delayed: number;
    readonly failed: number;
    readonly oldestDueAt?: string;
  };
  readonly flows: readonly {
    readonly from: string;
    readonly to: string;
    readonly converted: number;
    readonly retried: number;
    readonly failed: number;
    readonly meanMs: number;
  }[];
}
