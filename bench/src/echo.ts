import type { Contender, Measure, Running } from "./contender.ts";
import { medianLatencyUs, throughput } from "./load.ts";
import { assertEcho, nextPayload, type Payload } from "./payload.ts";

/** Calls under way at a time in `call.inflight256`. */
const IN_FLIGHT = 256;

/** Sends payloads to a handler in another process, which gives each back as it is. */
export interface Echo {
  /** The handler's answer: an object equal to `payload`. */
  call(payload: Payload): unknown;
  readonly note?: string;
  close(): Promise<void>;
}

/** The measures that every {@link echoContender} takes. */
export const echoMeasures: readonly Measure[] = [
  {
    name: "call.inflight256",
    unit: "msg/s",
    better: "higher",
    note: `${IN_FLIGHT} calls in flight from one process to a handler in one other, JSON object of 200 bytes there and back`,
  },
  {
    name: "call.single.p50",
    unit: "us",
    better: "lower",
    note: "median time of a call, one at a time, JSON object of 200 bytes there and back",
  },
];

/** A contender of the bench of calls. */
export function echoContender(name: string, openEcho: () => Promise<Echo>): Contender {
  return {
    name,
    open: async (): Promise<Running> => {
      const echo = await openEcho();
      const work = async (): Promise<void> => {
        const payload = nextPayload();
        assertEcho(payload, await echo.call(payload));
      };
      return {
        samplers: {
          "call.inflight256": (durationMs) => throughput(IN_FLIGHT, durationMs, work),
          "call.single.p50": (durationMs) => medianLatencyUs(durationMs, work),
        },
        ...(echo.note === undefined ? {} : { note: echo.note }),
        close: () => echo.close(),
      };
    },
  };
}
