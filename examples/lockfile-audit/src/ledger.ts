import { join } from "node:path";
import type { Instance, InstanceInput, Locator } from "@metanode/nature";
import type { Finding, Inspection } from "./inspect.ts";
import type { PackageFacts, PackageState, Workflow } from "./workflow.ts";

/*
 * L1. The audit never waits for the ledger: it is opened beside it, and packages are put in together, a batch at a time.
 * L2. What is counted is put in, judged and on the disk.
 * L3. Whatever fails here is thrown by `review` and `states`, and nothing else fails.
 */

/** How many packages are in which state; states in which none is are left out. */
export type StateCounts = Readonly<Partial<Record<PackageState, number>>>;

type Outcome = Inspection | Finding;

/** What of workflow.ts is used; loaded while the audit is under way, because it takes longer than an audit has time. */
interface Parts extends Workflow {
  readonly packageInput: (outcome: Outcome) => InstanceInput;
  readonly reviewInput: (packageId: string) => InstanceInput;
}

/** Packages that are put in together: one transaction, and another one for what becomes of them. */
const BATCH = 200;

/** Where the packages of an audit stand, kept in the data folder of the node from one audit to the next. */
export class Ledger implements AsyncDisposable {
  readonly #opening: Promise<Parts>;
  readonly #lines = new Map<string, Locator>();
  #waiting: Outcome[] = [];
  /** The end of the queue of batches (L1). */
  #writing: Promise<void> = Promise.resolve();
  #isClosing = false;

  /** Begins to open the ledger in a data folder. */
  constructor(dataFolder: string) {
    this.#opening = open(join(dataFolder, "workflow"));
    // Whoever asks is told (L3).
    this.#opening.catch(() => undefined);
  }

  /** Takes what became of a package. */
  add(outcome: Outcome): void {
    this.#waiting.push(outcome);
    if (this.#waiting.length >= BATCH) this.#flush();
  }

  /**
   * Reviews flagged packages, once everything that was added is judged.
   * @param names – as `name@version`
   * @returns those under which nothing is flagged
   */
  async review(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    const unknown = new Set(names);
    const { nature, reviewInput } = await this.#opening;
    for (const { id, states, content } of await this.#latest()) {
      const { name, version } = JSON.parse(content) as PackageFacts;
      if (!states.includes("flagged") || !names.includes(`${name}@${version}`)) continue;
      unknown.delete(`${name}@${version}`);
      await nature.input(reviewInput(id));
    }
    return [...unknown];
  }

  /** Where the packages of this audit stand. */
  async states(): Promise<StateCounts> {
    const counts: Partial<Record<PackageState, number>> = {};
    for (const { states } of await this.#latest()) {
      const [state] = states as readonly PackageState[];
      if (state !== undefined) counts[state] = (counts[state] ?? 0) + 1;
    }
    return counts;
  }

  /** Batches that have not begun are dropped: who wants them waits for `states`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    await this.#writing.catch(() => undefined);
    const parts = await this.#opening.catch(() => undefined);
    await parts?.[Symbol.asyncDispose]();
  }

  /** The last version of each package, with nothing under way (L2). */
  async #latest(): Promise<Instance[]> {
    this.#flush();
    await this.#writing;
    const { nature, store } = await this.#opening;
    await nature.engine.idle();
    const lines = await store.latest([...this.#lines.values()]);
    return lines.filter((one) => one !== undefined);
  }

  #flush(): void {
    const outcomes = this.#waiting;
    if (outcomes.length === 0) return;
    this.#waiting = [];
    this.#writing = this.#writing.then(() => this.#put(outcomes));
    this.#writing.catch(() => undefined);
  }

  async #put(outcomes: readonly Outcome[]): Promise<void> {
    const { nature, packageInput } = await this.#opening;
    if (this.#isClosing) return;
    // A package that is installed in several places is one.
    const inputs = new Map(outcomes.map(packageInput).map((input) => [input.content, input]));
    for (const { instance } of await nature.inputMany([...inputs.values()])) this.#lines.set(instance.id, instance);
  }
}

async function open(folder: string): Promise<Parts> {
  const { openWorkflow, packageInput, reviewInput } = await import("./workflow.ts");
  return { ...(await openWorkflow(folder)), packageInput, reviewInput };
}
