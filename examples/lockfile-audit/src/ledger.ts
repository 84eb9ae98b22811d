import type { Instance, InstanceInput, Locator, Nature } from "@metanode/nature";
import type { Finding } from "./finding.ts";
import type { Inspection } from "./inspect.ts";
import type { PackageFacts, PackageState } from "./workflow.ts";

/*
 * L1. The audit never waits for the ledger: packages are put in together, a batch at a time, beside it.
 * L2. What is counted is put in, judged and on the disk.
 * L3. Whatever fails here is thrown by `review` and `states`, and nothing else fails.
 */

/** How many packages are in which state; states in which none are left out. */
export type StateCounts = Readonly<Partial<Record<PackageState, number>>>;

type Outcome = Inspection | Finding;

/** What of workflow.ts is used; the node has loaded it by then. */
interface Inputs {
  readonly packageInput: (outcome: Outcome) => InstanceInput;
  readonly reviewInput: (packageId: string) => InstanceInput;
}

/** Packages that are put in together: one transaction, and another one for what becomes of them. */
const BATCH = 200;

/** Where the packages of an audit stand, in the workflows of the node: they stay from one audit to the next. */
export class Ledger {
  readonly #nature: Nature;
  readonly #inputs: Promise<Inputs> = import("./workflow.ts");
  readonly #lines = new Map<string, Locator>();
  #waiting: Outcome[] = [];
  /** The end of the queue of batches (L1). */
  #writing: Promise<void> = Promise.resolve();

  constructor(nature: Nature) {
    this.#nature = nature;
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
    const { reviewInput } = await this.#inputs;
    for (const { id, states, content } of await this.#latest()) {
      const { name, version } = JSON.parse(content) as PackageFacts;
      if (!states.includes("flagged") || !names.includes(`${name}@${version}`)) continue;
      unknown.delete(`${name}@${version}`);
      await this.#nature.input(reviewInput(id));
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

  /** The last version of each package, with nothing under way (L2). */
  async #latest(): Promise<Instance[]> {
    this.#flush();
    await this.#writing;
    await this.#nature.engine.idle();
    const lines = await Promise.all([...this.#lines.values()].map((line) => this.#nature.latest(line)));
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
    const { packageInput } = await this.#inputs;
    // A package that is installed in several places is one.
    const inputs = new Map(outcomes.map(packageInput).map((input) => [input.content, input]));
    for (const { instance } of await this.#nature.inputMany([...inputs.values()])) this.#lines.set(instance.id, instance);
  }
}
