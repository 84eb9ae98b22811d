import { describe, test } from "vitest";
import { endPromises } from "./transport-conformance-ends.ts";
import { faultPromises } from "./transport-conformance-faults.ts";
import { framePromises } from "./transport-conformance-frames.ts";
import { sessionPromises } from "./transport-conformance-sessions.ts";
import type { TransportHarness, TransportPromise } from "./transport-harness.ts";

/** What {@link transportConformance} is to be run against. */
export interface TransportConformanceOptions {
  /** Of the implementation, for the report. */
  name: string;
  /** Makes what one test needs. */
  open(): Promise<TransportHarness>;
  /** Titles of tests that this implementation cannot pass, each with the reason. */
  skips?: Readonly<Record<string, string>>;
}

const SUITE: Readonly<Record<string, readonly TransportPromise[]>> = {
  frames: framePromises,
  "dialling and closing": endPromises,
  sessions: sessionPromises,
  faults: faultPromises,
};

const ABSENT = {
  startPeer: "its links do not leave the process",
  cutNetwork: "there is nothing between its two sides that could be cut",
} as const;

/**
 * Defines, with Vitest, tests for each promise of `LinkTransport` (T1 to T7), and for sessions over it. Every implementation runs them all.
 * @throws {Error} a skip names no test.
 */
export function transportConformance(options: TransportConformanceOptions): void {
  const skips = new Map(Object.entries(options.skips ?? {}));
  const titles = new Set(Object.values(SUITE).flatMap((promises) => promises.map((promise) => promise.title)));
  for (const title of skips.keys()) {
    if (!titles.has(title)) throw new Error(`the transport conformance suite has no test ${JSON.stringify(title)} to skip`);
  }
  describe(`the contract of transports, kept by ${options.name}`, () => {
    for (const [group, promises] of Object.entries(SUITE)) {
      describe(group, () => {
        for (const promise of promises) define(promise, options, skips.get(promise.title));
      });
    }
  });
}

function define(promise: TransportPromise, options: TransportConformanceOptions, skip: string | undefined): void {
  test(promise.title, async (context) => {
    if (skip !== undefined) context.skip(skip);
    const harness = await options.open();
    try {
      if (promise.needs !== undefined && harness[promise.needs] === undefined) context.skip(ABSENT[promise.needs]);
      await promise.run(harness);
    } finally {
      await harness.dispose();
    }
  });
}

export { memoryTransport } from "./memory-transport.ts";
export { serveTransportPeer, type TransportHarness, type TransportPeer, type TransportPromise } from "./transport-harness.ts";
