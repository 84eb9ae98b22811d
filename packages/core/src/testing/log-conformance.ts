import { describe, test } from "vitest";
import type { Log } from "../log/log.ts";
import { appendPromises } from "./log-conformance-append.ts";
import { deadLetterPromises } from "./log-conformance-dead.ts";
import { deliveryPromises } from "./log-conformance-delivery.ts";
import { lifecyclePromises } from "./log-conformance-lifecycle.ts";
import { retentionPromises } from "./log-conformance-retention.ts";
import type { LogHarness, LogPromise } from "./log-harness.ts";

/** What {@link logConformance} is to be run against. */
export interface LogConformanceOptions {
  /** Of the implementation, for the report. */
  name: string;
  /** Opens a new empty log. */
  open(): Promise<LogHarness>;
  /** Titles of tests that this implementation cannot pass, each with the reason. */
  skips?: Readonly<Record<string, string>>;
}

const SUITE: Readonly<Record<string, readonly LogPromise[]>> = {
  appending: appendPromises,
  delivering: deliveryPromises,
  "opening and closing": lifecyclePromises,
  "dead letters": deadLetterPromises,
  retention: retentionPromises,
};

/**
 * Defines, with Vitest, one test for each promise of the {@link Log} contract. Every implementation runs them all.
 * @throws {Error} a skip names no test.
 */
export function logConformance(options: LogConformanceOptions): void {
  const skips = new Map(Object.entries(options.skips ?? {}));
  const titles = new Set(Object.values(SUITE).flatMap((promises) => promises.map((promise) => promise.title)));
  for (const title of skips.keys()) {
    if (!titles.has(title)) throw new Error(`the log conformance suite has no test ${JSON.stringify(title)} to skip`);
  }
  describe(`the log contract, kept by ${options.name}`, () => {
    for (const [group, promises] of Object.entries(SUITE)) {
      describe(group, () => {
        for (const promise of promises) define(promise, options, skips.get(promise.title));
      });
    }
  });
}

function define(promise: LogPromise, options: LogConformanceOptions, skip: string | undefined): void {
  test(promise.title, async (context) => {
    if (skip !== undefined) context.skip(skip);
    const harness = await options.open();
    try {
      if (promise.needsReopen && harness.reopen === undefined) context.skip("nothing in this log survives its end");
      await promise.run(harness);
    } finally {
      await harness.dispose();
    }
  });
}

export type { LogHarness, LogPromise };
