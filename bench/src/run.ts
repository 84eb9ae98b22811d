import { type Bench, type Contender, type Measure, type Running, Unavailable } from "./contender.ts";
import { median } from "./load.ts";

/** How much is measured. */
export interface RunOptions {
  /** Samples per measure and contender, at least 1. */
  readonly samples: number;
  /** How long a sample works, in milliseconds. */
  readonly sampleMs: number;
  /** Names of the contenders that take part. @default all */
  readonly only?: readonly string[] | undefined;
  /** Called before each sample and wherever something is worth saying. */
  readonly onProgress: (text: string) => void;
}

/** What a contender reached in one measure. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One measure with the figures of all who took part. */
export interface MeasureResult {
  readonly measure: Measure;
  /** How many samples were taken of each. */
  readonly samples: number;
  /** By name, `ours` included, in the order of the bench. */
  readonly figures: ReadonlyMap<string, Figure>;
  /** Who is absent, by name, with the reason. */
  readonly absent: ReadonlyMap<string, string>;
  /** What must be known about those who took part, by name. */
  readonly notes: ReadonlyMap<string, string>;
}

/**
 * Opens all contenders, then takes the samples of each measure in turns, a different one beginning each time, so that what
 * disturbs the machine for a while disturbs all alike. A first sample of each warms up and is not counted.
 * @throws {Error} A contender failed while it worked.
 */
export async function runBench(bench: Bench, options: RunOptions): Promise<MeasureResult[]> {
  const running = new Map<string, Running>();
  const absent = new Map<string, string>();
  try {
    for (const contender of [bench.ours, ...bench.peers]) await open(contender, running, absent, options);
    const results: MeasureResult[] = [];
    for (const measure of bench.measures) results.push(await take(measure, { running, absent }, options));
    return results;
  } finally {
    for (const each of running.values()) await each.close();
  }
}

async function open(
  contender: Contender,
  running: Map<string, Running>,
  absent: Map<string, string>,
  options: RunOptions,
): Promise<void> {
  try {
    if (options.only?.includes(contender.name) === false) throw new Unavailable("not asked for");
    options.onProgress(`opening ${contender.name}`);
    running.set(contender.name, await contender.open());
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    absent.set(contender.name, error.message);
    options.onProgress(`${contender.name} is left out: ${error.message}`);
  }
}

async function take(
  measure: Measure,
  who: { running: ReadonlyMap<string, Running>; absent: ReadonlyMap<string, string> },
  options: RunOptions,
): Promise<MeasureResult> {
  const samplers = [...who.running].flatMap(([name, { samplers }]) => {
    const sampler = samplers[measure.name];
    return sampler === undefined ? [] : [{ name, sampler, values: [] as number[] }];
  });
  for (const { name, sampler } of measure.isFresh ? [] : samplers) {
    options.onProgress(`${measure.name}: ${name} warms up`);
    await sampler(options.sampleMs);
  }
  const samples = Math.min(options.samples, measure.maxSamples ?? options.samples);
  for (let round = 0; round < samples; round += 1) {
    for (let turn = 0; turn < samplers.length; turn += 1) {
      const next = samplers[(round + turn) % samplers.length];
      if (next === undefined) continue;
      const value = await next.sampler(options.sampleMs);
      next.values.push(value);
      options.onProgress(`${measure.name}: ${next.name}, sample ${round + 1} of ${samples}: ${readable(value)} ${measure.unit}`);
    }
  }
  const figures = samplers.map(({ name, values }): [string, Figure] => [
    name,
    { median: median(values), min: Math.min(...values), max: Math.max(...values) },
  ]);
  const notes = samplers.flatMap(({ name }): [string, string][] => {
    const note = who.running.get(name)?.note;
    return note === undefined ? [] : [[name, note]];
  });
  return { measure, samples, figures: new Map(figures), absent: who.absent, notes: new Map(notes) };
}

/** A figure for people: three digits that count, with groups of thousands. */
export function readable(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 6 });
}
