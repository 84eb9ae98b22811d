import { describe, expect, test } from "vitest";
import { inside, Probe, stage } from "./probe.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the budget of a turn of the event loop", () => {
  test("is 50,000 messages, after which the rest waits until timers and sockets were served", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    const { got } = inside(pid);
    await turn();
    for (let i = 0; i < 60_000; i++) kernel.send(pid, i);
    await Promise.resolve();
    expect(got.length).toBeGreaterThan(45_000);
    expect(got.length).toBeLessThan(55_000);
    await turn();
    await turn();
    expect(got.length).toBe(60_000);
    await kernel.stop();
  });

  test("is not charged with what the turns before have used", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    const { got } = inside(pid);
    for (let round = 1; round <= 5; round++) {
      await turn();
      for (let i = 0; i < 30_000; i++) kernel.send(pid, i);
      await Promise.resolve();
      expect(got.length).toBe(round * 30_000);
    }
    await kernel.stop();
  });

  test("runs out for a chain of microtasks that would keep the loop for ever", async () => {
    const { kernel } = stage();
    const [a, b] = [kernel.spawn(Probe), kernel.spawn(Probe)];
    let hops = 0;
    for (const [self, other] of [
      [a, b],
      [b, a],
    ] as const) {
      inside(self).react = () => {
        hops++;
        inside(self).got.length = 0;
        inside(self).send(other, "next");
      };
    }
    kernel.send(a, "first");
    await turn();
    expect(hops).toBeGreaterThan(0);
    await turn();
    kernel.kill(a);
    kernel.kill(b);
    await kernel.stop();
  });
});
