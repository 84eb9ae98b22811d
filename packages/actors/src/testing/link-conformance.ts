import { describe, expect, test } from "vitest";
import type { Link } from "../remote/link.ts";

/** Two joined links and how to be rid of them. */
export interface LinkHarness {
  readonly ends: readonly [Link, Link];
  dispose(): Promise<void>;
}

/** What {@link linkConformance} is to be run against. */
export interface LinkConformanceOptions {
  /** Of the implementation, for the report. */
  name: string;
  /** Opens a new pair. */
  open(): Promise<LinkHarness>;
}

/** Batches enough to fill any window. */
const MANY = 4_000;

/** Everything that one end hears. */
interface Heard {
  readonly batches: string[];
  readonly ends: (Error | undefined)[];
  drains: number;
  /** Called at whatever it hears. */
  onAny: () => void;
}

function listen(link: Link): Heard {
  const heard: Heard = { batches: [], ends: [], drains: 0, onAny: () => undefined };
  link.listen({
    onBatch: (batch) => {
      heard.batches.push(text(batch));
      heard.onAny();
    },
    onDrain: () => {
      heard.drains++;
      heard.onAny();
    },
    onClosed: (error) => {
      heard.ends.push(error);
      heard.onAny();
    },
  });
  return heard;
}

/** Resolves when what was heard makes `isSo` true. */
function when(heard: Heard, isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    heard.onAny = () => {
      if (isSo()) resolve();
    };
    heard.onAny();
  });
}

const bytes = (value: string): Uint8Array => Buffer.from(value);
const text = (value: Uint8Array): string => Buffer.from(value).toString();
const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));

/** One promise of the contract. */
interface LinkPromise {
  readonly title: string;
  run(ends: readonly [Link, Link]): Promise<void>;
}

const PROMISES: readonly LinkPromise[] = [
  {
    title: "carries batches both ways, each as it was and in the order of sending",
    async run([left, right]) {
      const [atLeft, atRight] = [listen(left), listen(right)];
      const sent = numbers(50);
      for (const one of sent) {
        left.send(bytes(`to the right ${one}`));
        right.send(bytes(`to the left ${one}`));
      }
      await when(atRight, () => atRight.batches.length >= 50);
      await when(atLeft, () => atLeft.batches.length >= 50);
      expect(atRight.batches).toEqual(sent.map((one) => `to the right ${one}`));
      expect(atLeft.batches).toEqual(sent.map((one) => `to the left ${one}`));
    },
  },
  {
    title: "keeps what comes before somebody listens",
    async run([left, right]) {
      const atLeft = listen(left);
      left.send(bytes("early"));
      right.send(bytes("answer"));
      await when(atLeft, () => atLeft.batches.length === 1);
      const atRight = listen(right);
      await when(atRight, () => atRight.batches.length === 1);
      expect(atRight.batches).toEqual(["early"]);
    },
  },
  {
    title: "tells whoever listens last, from within a batch on",
    async run([left, right]) {
      const first: string[] = [];
      const second = await new Promise<Heard>((resolve) => {
        right.listen({
          onBatch: (batch) => {
            first.push(text(batch));
            resolve(listen(right));
          },
          onDrain: () => undefined,
          onClosed: () => undefined,
        });
        for (const one of ["a", "b", "c"]) left.send(bytes(one));
      });
      await when(second, () => second.batches.length === 2);
      expect([first, second.batches]).toEqual([["a"], ["b", "c"]]);
    },
  },
  {
    title: "says when it is full and when there is room again, and loses nothing in between",
    async run([left, right]) {
      const [atLeft, atRight] = [listen(left), listen(right)];
      let refusals = 0;
      for (const one of numbers(MANY)) {
        if (left.send(bytes(one))) continue;
        refusals++;
        const drains = atLeft.drains;
        await when(atLeft, () => atLeft.drains > drains);
      }
      await when(atRight, () => atRight.batches.length === MANY);
      expect(atRight.batches).toEqual(numbers(MANY));
      expect(refusals).toBeGreaterThan(0);
      expect(atLeft.drains).toBe(refusals);
    },
  },
  {
    title: "carries a batch of several megabytes",
    async run([left, right]) {
      const atRight = listen(right);
      const size = Math.min(left.maxBatchBytes, 8 * 1024 * 1024);
      left.send(Buffer.alloc(size, "x"));
      left.send(bytes("after"));
      await when(atRight, () => atRight.batches.length === 2);
      expect(atRight.batches.map(({ length }) => length)).toEqual([size, 5]);
    },
  },
  {
    title: "delivers what was sent before an orderly end, and tells both sides of it once",
    async run([left, right]) {
      const [atLeft, atRight] = [listen(left), listen(right)];
      for (const one of numbers(20)) left.send(bytes(one));
      left.close();
      left.close();
      left.send(bytes("too late"));
      await when(atRight, () => atRight.ends.length > 0);
      await when(atLeft, () => atLeft.ends.length > 0);
      right.close();
      expect(atRight.batches).toEqual(numbers(20));
      expect([atLeft.ends, atRight.ends]).toEqual([[undefined], [undefined]]);
    },
  },
  {
    title: "ends both sides at an error, telling each once and its own side why",
    async run([left, right]) {
      const [atLeft, atRight] = [listen(left), listen(right)];
      left.send(bytes("hello"));
      await when(atRight, () => atRight.batches.length === 1);
      left.close(new Error("a broken rule"));
      await when(atRight, () => atRight.ends.length > 0);
      await when(atLeft, () => atLeft.ends.length > 0);
      expect(atRight.ends).toHaveLength(1);
      expect(atLeft.ends).toEqual([new Error("a broken rule")]);
    },
  },
  {
    title: "tells a listener that comes after the end",
    async run([left, right]) {
      const atLeft = listen(left);
      right.close();
      await when(atLeft, () => atLeft.ends.length === 1);
      const late = listen(right);
      await when(late, () => late.ends.length === 1);
      expect(late.batches).toEqual([]);
    },
  },
];

/** Defines, with Vitest, one test for each promise of the {@link Link} contract. Every implementation runs them all. */
export function linkConformance({ name, open }: LinkConformanceOptions): void {
  describe(`the link contract, kept by ${name}`, () => {
    for (const { title, run } of PROMISES) {
      test(title, async () => {
        const harness = await open();
        try {
          await run(harness.ends);
        } finally {
          await harness.dispose();
        }
      });
    }
  });
}
