import { expect, test } from "vitest";
import { Lanes } from "../src/deploy/lanes.ts";

test("work is done so many at a time for each key, in order, also after one that failed", async () => {
  const lanes = new Lanes(2);
  const begun: string[] = [];
  const work = ["a1", "a2", "a3", "a4", "b1"].map((name) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = lanes.run(name.slice(0, 1), () => {
      begun.push(name);
      return promise;
    });
    return { done: done.catch(() => undefined), resolve, reject };
  });
  const [first, second, third, fourth, other] = work as [
    (typeof work)[0],
    (typeof work)[0],
    (typeof work)[0],
    (typeof work)[0],
    (typeof work)[0],
  ];
  expect(begun).toEqual(["a1", "a2", "b1"]);
  second.reject(new Error("on purpose"));
  await second.done;
  expect(begun).toEqual(["a1", "a2", "b1", "a3"]);
  first.resolve();
  await first.done;
  expect(begun).toEqual(["a1", "a2", "b1", "a3", "a4"]);
  for (const { resolve } of [third, fourth, other]) resolve();
  await Promise.all(work.map(({ done }) => done));
  await lanes.run("a", async () => void begun.push("a5"));
  expect(begun.at(-1)).toBe("a5");
});
