import { describe, test } from "vitest";
import { commitPromises } from "./store-conformance-commit.ts";
import { rangePromises } from "./store-conformance-range.ts";
import { readPromises } from "./store-conformance-reads.ts";
import { registryPromises } from "./store-conformance-registry.ts";
import { sharingPromises } from "./store-conformance-sharing.ts";
import { taskPromises } from "./store-conformance-tasks.ts";
import { upkeepPromises } from "./store-conformance-upkeep.ts";
import type { StoreHarness, StorePromise } from "./store-harness.ts";

/** What {@link storeConformance} is to be run against. */
export interface StoreConformanceOptions {
  /** Of the implementation, for the report. */
  name: string;
  /** Opens a new empty store. */
  open(): Promise<StoreHarness>;
  /** Why the whole suite cannot run here, if so. */
  skip?: string | undefined;
}

const SUITE: Readonly<Record<string, readonly StorePromise[]>> = {
  "units of work": commitPromises,
  tasks: taskPromises,
  "ranges of keys": rangePromises,
  "what is declared": registryPromises,
  upkeep: upkeepPromises,
  "reads for people": readPromises,
  "several engines": sharingPromises,
};

/** Defines, with Vitest, one test for each promise of the contract of a store. Every implementation runs them all. */
export function storeConformance(options: StoreConformanceOptions): void {
  describe(`the contract of a store, kept by ${options.name}`, () => {
    for (const [group, promises] of Object.entries(SUITE)) {
      describe(group, () => {
        for (const promise of promises) define(promise, options);
      });
    }
  });
}

function define(promise: StorePromise, options: StoreConformanceOptions): void {
  test(promise.title, async (context) => {
    if (options.skip !== undefined) context.skip(options.skip);
    const harness = await options.open();
    try {
      if (promise.needsAnother && harness.another === undefined) context.skip("one engine has this store for itself");
      await promise.run(harness);
    } finally {
      await harness.dispose();
    }
  });
}

export type { StoreHarness, StorePromise };
