import { describe, expect, test } from "vitest";
import { type Call, MetaBehaviour, type MetaProcess, type PID, type Reason, type Ref } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

/** Waits until it is terminated, and writes everything down. */
class Waiter extends MetaBehaviour<unknown, Call<unknown, unknown>> {
  readonly got: unknown[] = [];
  readonly ended: Reason[] = [];
  meta: MetaProcess | undefined;
  #stop: (() => void) | undefined;

  override start(meta: MetaProcess): Promise<void> {
    this.meta = meta;
    return new Promise((resolve) => {
      this.#stop = resolve;
    });
  }
  override handleMessage(from: PID, message: unknown): void {
    this.got.push([from, message]);
  }
  override handleCall(_from: PID, _ref: Ref, request: unknown): unknown {
    return request;
  }
  override terminate(reason: Reason): void {
    this.ended.push(reason);
    this.#stop?.();
  }
}

describe("a meta-process", () => {
  test("answers a call to its alias with the same value (1), and gets mail with the PID of the sender (2)", async () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe);
    const behaviour = new Waiter();
    const alias = inside(parent).spawnMeta(behaviour);
    expect(await kernel.call(alias, "ping-pong")).toBe("ping-pong");
    inside(parent).send(alias, "hello");
    await settle();
    expect(behaviour.got).toEqual([[parent, "hello"]]);
    inside(parent).sendExitMeta(alias, "shutdown");
    await settle();
    expect(behaviour.ended).toEqual(["shutdown"]);
    expect(kernel.metas()).toEqual([]);
    await kernel.stop();
  });
});
