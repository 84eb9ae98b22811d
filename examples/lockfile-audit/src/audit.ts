import { hasCode, type MetaNode, type MetanodeError, systemClock, wait } from "@metanode/core";
import type { Finding } from "./finding.ts";
import type { Duplicate, Inspection, PackageEntry } from "./inspect.ts";
import type { LockedPackage, Lockfile } from "./lockfile.ts";
import { compareNames } from "./order.ts";
import type { inspector } from "./processor.ts";

/*
 * A1. Every package of the lockfile ends up in the audit exactly once: as an inspection, or as a finding of kind "error".
 * A2. At most `maxInFlight` messages are under way, however long the lockfile is.
 * A3. A message whose process died, or that found no free one, is sent again: inspecting twice does no harm.
 */

export interface AuditOptions {
  /** What the engines are held against. @default the version of this process */
  node?: string;
  /** Messages under way at a time. @default 256 */
  maxInFlight?: number;
  /** Times that one package is tried before its error is a finding. @default 6 */
  maxAttempts?: number;
  /** Withdraws the audit: it ends with `call.cancelled`. */
  signal?: AbortSignal;
  /** Called with what became of each package, in the order of the answers. */
  onOutcome?: (outcome: Inspection | Finding) => void;
  /** Called after that. */
  onProgress?: (done: number, total: number) => void;
}

/** Everything that is known of a lockfile after its audit. */
export interface Audit {
  readonly lockfile: Lockfile;
  readonly node: string;
  /** In the order of the lockfile. */
  readonly inspections: readonly Inspection[];
  readonly duplicates: readonly Duplicate[];
  /** In the order of the lockfile; those about several packages last. */
  readonly findings: readonly Finding[];
  /** Messages that had to be sent again. */
  readonly resent: number;
}

/** The inspecting processes answer in microseconds; this is for a machine that is busy with something else. */
const CALL_TIMEOUT_MS = 15_000;
const RESEND_DELAY_MS = 100;
const MAX_RESEND_DELAY_MS = 1_000;
/** Packages in one `lockfile.duplicates` message: a message of this length is some 200 KB, far below any limit of size. */
const DUPLICATES_SLICE = 4_000;
/** Errors that are about the audit as a whole; any other is about its package. */
const ENDS_THE_AUDIT = ["message.unknown_type", "call.cancelled", "node.closed"];
/** The entry's fields that go into the message; the rest of an entry can be long and nobody looks at it. */
const SENT_FIELDS = ["version", "resolved", "integrity", "license", "hasInstallScript", "inBundle", "engines"] as const;

/**
 * Audits a lockfile with the processors of a node: a message per package, then one for what needs the whole.
 * @throws {MetanodeError} message.unknown_type – nothing on the node inspects packages; call.cancelled – `signal`;
 * what `lockfile.duplicates` failed with.
 */
export async function audit(node: MetaNode, lockfile: Lockfile, options: AuditOptions = {}): Promise<Audit> {
  const nodeVersion = options.node ?? process.version;
  const run = new Run(node, nodeVersion, options);
  const outcomes = await run.inspectAll(lockfile.packages);
  const inspections = outcomes.filter((outcome) => "license" in outcome);
  const duplicates = await run.findDuplicates(inspections);
  const findings = outcomes.flatMap((outcome): readonly Finding[] => ("license" in outcome ? outcome.findings : [outcome]));
  return {
    lockfile,
    node: nodeVersion,
    inspections,
    duplicates,
    findings: [...findings, ...duplicates.map(duplicateFinding)],
    resent: run.resent,
  };
}

class Run {
  resent = 0;
  readonly #client;
  readonly #nodeVersion: string;
  readonly #options: AuditOptions;

  constructor(node: MetaNode, nodeVersion: string, options: AuditOptions) {
    this.#client = node.client<typeof inspector>();
    this.#nodeVersion = nodeVersion;
    this.#options = options;
  }

  async inspectAll(packages: readonly LockedPackage[]): Promise<(Inspection | Finding)[]> {
    const { maxInFlight = 256, onOutcome, onProgress } = this.#options;
    const outcomes = new Array<Inspection | Finding>(packages.length);
    let done = 0;
    // One iterator for all senders: each takes the next package when its last one is answered (A2).
    const rest = packages.entries();
    const sender = async (): Promise<void> => {
      for (const [index, one] of rest) {
        const outcome = await this.#inspect(one);
        outcomes[index] = outcome;
        onOutcome?.(outcome);
        onProgress?.(++done, packages.length);
      }
    };
    await Promise.all(Array.from({ length: Math.min(maxInFlight, packages.length) }, sender));
    return outcomes;
  }

  async findDuplicates(inspections: readonly Inspection[]): Promise<Duplicate[]> {
    const answers: Duplicate[][] = [];
    for (const packages of slicesByName(inspections, DUPLICATES_SLICE)) {
      const send = () => this.#client.call("lockfile.duplicates", { packages }, this.#callOptions());
      answers.push(await this.#untilAnswered(send));
    }
    return answers.flat();
  }

  async #inspect({ path, name, entry }: LockedPackage): Promise<Inspection | Finding> {
    const request = { path, name, node: this.#nodeVersion, entry: pick(entry) };
    try {
      return await this.#untilAnswered(() => this.#client.call("lockfile.inspect", request, this.#callOptions()));
    } catch (error) {
      if (ENDS_THE_AUDIT.some((code) => hasCode(error, code))) throw error;
      return errorFinding({ path, name, version: versionOf(entry) }, error);
    }
  }

  #callOptions(): { timeoutMs: number; signal?: AbortSignal } {
    const { signal } = this.#options;
    return { timeoutMs: CALL_TIMEOUT_MS, ...(signal ? { signal } : {}) };
  }

  /** Sends again what failed for a reason that passes (A3). */
  async #untilAnswered<T>(send: () => Promise<T>): Promise<T> {
    const { maxAttempts = 6 } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        const { retryable, retryAfterMs } = error as Partial<MetanodeError>;
        if (retryable !== true || attempt >= maxAttempts) throw error;
        this.resent++;
        await wait(systemClock, Math.min(retryAfterMs ?? RESEND_DELAY_MS * attempt, MAX_RESEND_DELAY_MS));
      }
    }
  }
}

interface NameAndVersion {
  name: string;
  version: string;
}

/** Slices of about `size` packages, with all packages of one name in the same slice. */
export function slicesByName(packages: readonly NameAndVersion[], size: number): NameAndVersion[][] {
  const sorted = packages.map(({ name, version }) => ({ name, version })).sort((a, b) => compareNames(a.name, b.name));
  const slices: NameAndVersion[][] = [];
  let slice: NameAndVersion[] = [];
  for (const one of sorted) {
    if (slice.length >= size && slice.at(-1)?.name !== one.name) {
      slices.push(slice);
      slice = [];
    }
    slice.push(one);
  }
  if (slice.length > 0) slices.push(slice);
  return slices;
}

/** An entry that is not even an object is sent as it is: the node refuses it, and that is the finding. */
function pick(entry: unknown): PackageEntry {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return entry as PackageEntry;
  const given = entry as Record<string, unknown>;
  return Object.fromEntries(SENT_FIELDS.filter((field) => field in given).map((field) => [field, given[field]]));
}

function versionOf(entry: unknown): string {
  const version = typeof entry === "object" && entry !== null && "version" in entry ? entry.version : undefined;
  return typeof version === "string" ? version : "";
}

function errorFinding(where: Pick<Finding, "path" | "name" | "version">, error: unknown): Finding {
  const { message, code = "core.internal" } = error as Error & { code?: string };
  return { kind: "error", ...where, text: `not inspected: ${message} (${code})` };
}

function duplicateFinding({ name, versions }: Duplicate): Finding {
  return { kind: "duplicate", name, version: "", path: "", text: `in ${versions.length} versions: ${versions.join(", ")}` };
}
