import type { Contender, Measure, Running } from "./contender.ts";
import { throughput } from "./load.ts";
import { nextPayload, type Payload } from "./payload.ts";

/** Appends under way at a time in `append.acked`. */
const IN_FLIGHT = 1_024;

/** Stores payloads durably. */
export interface Appender {
  /** Settles once the payload is stored. `id` is unique. */
  append(id: string, payload: Payload): unknown;
  /** Payloads that are stored, to prove that none was only promised. */
  count(): Promise<number>;
  readonly note?: string;
  /** Ends and removes what was stored. */
  close(): Promise<void>;
}

/** The measures that every {@link appendContender} takes. */
export const appendMeasures: readonly Measure[] = [
  {
    name: "append.acked",
    unit: "msg/s",
    better: "higher",
    note: `${IN_FLIGHT} appends under way, JSON object of 200 bytes, counted when acknowledged as stored`,
  },
];

/** A contender of the bench of the log. */
export function appendContender(name: string, openAppender: () => Promise<Appender>): Contender {
  return {
    name,
    open: async (): Promise<Running> => {
      const appender = await openAppender();
      let acked = 0;
      const work = async (): Promise<void> => {
        const payload = nextPayload();
        await appender.append(`${name}-${payload.number}`, payload);
        acked += 1;
      };
      const sample = async (durationMs: number): Promise<number> => {
        const rate = await throughput(IN_FLIGHT, durationMs, work);
        const stored = await appender.count();
        if (stored !== acked) throw new Error(`${name} acknowledged ${acked} messages and stored ${stored}`);
        return rate;
      };
      return {
        samplers: { "append.acked": sample },
        ...(appender.note === undefined ? {} : { note: appender.note }),
        close: () => appender.close(),
      };
    },
  };
}
