import type { Measure } from "./contender.ts";

/** Flows or inputs under way at a time. */
export const IN_FLIGHT = 64;

/** What flows there are, and how many steps each has. */
export const STEPS = { flow3: 3, relay10: 10 } as const;
export type FlowName = keyof typeof STEPS;

/** A kind of work, the same for all systems and databases. */
export type FlowWork = FlowName | "stored";

/** A system that carries inputs through durable steps. */
export interface FlowWorld {
  /** Carries an input through its steps; settles when the last one is stored. Each input is another. */
  flow(name: FlowName, input: string): Promise<unknown>;
  /** Stores an input that nothing follows from. Absent = the system has no such thing. */
  readonly store?: (input: string) => Promise<unknown>;
  /** How many of a kind are whole in the database, to prove that none was only promised. */
  count(work: FlowWork): Promise<number>;
  /** Ends it; what was stored stays. */
  close(): Promise<void>;
}

/** What the process of a system is asked: the figure of one kind of work. */
export interface FlowQuestion {
  readonly work: FlowWork;
  readonly durationMs: number;
}

/** The work of one step, the same for everyone: it reads the JSON of the step before and writes its own. */
export function advance(content: string): string {
  const value = JSON.parse(content) as { step?: number };
  return JSON.stringify({ ...value, step: (value.step ?? 0) + 1 });
}

const FLOW = `three steps with a result of 200 B stored each, ${IN_FLIGHT} flows in flight, on the disk before a flow counts`;
const AHEAD = "ours runs steps that answer at once ahead of the disk and stores them together";

function flowMeasure(name: string, ...about: readonly string[]): Measure {
  return { name, unit: "flows/s", better: "higher", note: [FLOW, ...about].join("; ") };
}

function storedMeasure(name: string): Measure {
  return {
    name,
    unit: "instances/s",
    better: "higher",
    note: `inputs of 200 B that nothing follows from, ${IN_FLIGHT} in flight`,
  };
}

/** What the bench of workflows measures. */
export const flowMeasures: readonly Measure[] = [
  flowMeasure("flow3.sqlite", AHEAD),
  flowMeasure("flow3.postgres", AHEAD),
  flowMeasure("flow3.stepwise", "ours: on SQLite, each step on the disk before the next begins, as with the peers"),
  flowMeasure(
    "flow3.million",
    AHEAD,
    "on SQLite with 1,000,000 instances of the same metas already stored; the peers begin empty",
  ),
  storedMeasure("stored.sqlite"),
  storedMeasure("stored.postgres"),
  {
    name: "relay10.sqlite",
    unit: "ms",
    better: "lower",
    note: `median time of one flow of ten steps, one at a time, on SQLite; ${AHEAD}`,
  },
];
