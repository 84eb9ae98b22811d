import { describe, expect, test } from "vitest";
import { Actor, type Alias, type Call, createKernel, type PID, ProcessName, type Ref } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

type Question = Call<string, string>;

/** Writes down by which address its mail came. */
class Addressed extends Actor<string, Question> {
  readonly got: unknown[][] = [];
  override init(give?: (actor: Addressed) => void): void {
    give?.(this);
  }
  override handleMessage(_from: PID, message: string): void {
    this.got.push(["pid", message]);
  }
  override handleCall(_from: PID, _ref: Ref, request: string): string {
    return `pid ${request}`;
  }
  override handleMessageName(name: string, _from: PID, message: string): void {
    this.got.push(["name", name, message]);
  }
  override handleCallName(name: string, _from: PID, _ref: Ref, request: string): string {
    return `name ${name} ${request}`;
  }
  override handleMessageAlias(alias: Alias<string, Question>, _from: PID, message: string): void {
    this.got.push(["alias", alias, message]);
  }
  override handleCallAlias(alias: Alias<string, Question>, _from: PID, _ref: Ref, request: string): string {
    return `alias ${alias} ${request}`;
  }
}

function addressed(options: { mailboxLimit?: number } = {}) {
  const on = stage();
  let actor: Addressed | undefined;
  const pid = on.kernel.spawn(Addressed, { name: "n", ...options, args: [(given) => (actor = given)] });
  return { ...on, pid, actor: actor as Addressed };
}

describe("an actor that splits its mail (§4.1)", () => {
  test("gets messages to its name and its aliases in callbacks of their own, with the address", async () => {
    const { kernel, pid, actor } = addressed();
    const alias = actor.createAlias();
    actor.setSplitHandle(true);
    kernel.send(pid, "a");
    kernel.send("n", "b");
    kernel.send(new ProcessName<string, Question>("n", "test@here"), "c", "normal");
    kernel.send(alias, "d");
    await settle();
    expect(actor.got).toEqual([
      ["pid", "a"],
      ["name", "n", "b"],
      ["name", "n", "c"],
      ["alias", alias, "d"],
    ]);
    expect([actor.splitHandle, kernel.processInfo(pid).splitHandle]).toEqual([true, true]);
  });

  test("answers calls the same way, and mail keeps its order and its priority", async () => {
    const { kernel, pid, actor } = addressed();
    const alias = actor.createAlias();
    actor.setSplitHandle(true);
    expect(await Promise.all([kernel.call(pid, "x"), kernel.call("n", "x"), kernel.call(alias, "x")])).toEqual([
      "pid x",
      "name n x",
      `alias ${alias} x`,
    ]);
    kernel.send("n", "1");
    kernel.send(pid, "2");
    kernel.send("n", "first", "max");
    await settle();
    expect(actor.got.map((each) => each.at(-1))).toEqual(["first", "1", "2"]);
  });

  test("that stops splitting gets everything plainly, also what waited", async () => {
    const { kernel, actor } = addressed();
    actor.setSplitHandle(true);
    kernel.send("n", "waits");
    actor.setSplitHandle(false);
    kernel.send("n", "later");
    expect(await kernel.call("n", "x")).toBe("pid x");
    expect(actor.got).toEqual([
      ["pid", "waits"],
      ["pid", "later"],
    ]);
  });

  test("respects its limit and its fallback", async () => {
    const { kernel, actor } = addressed({ mailboxLimit: 1 });
    actor.setSplitHandle(true);
    kernel.send("n", "1");
    expect(() => kernel.send("n", "2")).toThrow(expect.objectContaining({ code: "actor.mailbox_full" }));
  });

  test("gets what is forwarded to its name or PID by that address", async () => {
    const { kernel, pid, actor } = addressed();
    const other = inside(kernel.spawn(Probe));
    actor.setSplitHandle(true);
    other.forwardMessage("n", kernel.core, "1");
    other.forwardMessage(pid, kernel.core, "2");
    await settle();
    expect(actor.got).toEqual([
      ["name", "n", "1"],
      ["pid", "2"],
    ]);
  });

  test("and has no such callbacks reports it and goes on; a call gets no answer", async () => {
    const reports: string[] = [];
    await using kernel = createKernel({ onReport: ({ text }) => reports.push(text) });
    const pid = kernel.spawn(Probe, { name: "n" });
    const alias = inside(pid).createAlias();
    inside(pid).setSplitHandle(true);
    kernel.send("n", 1);
    kernel.send(alias, 2);
    const calls = Promise.allSettled([kernel.call("n", 3, { timeoutMs: 1 }), kernel.call(alias, 4, { timeoutMs: 1 })]);
    expect(await calls).toMatchObject([{ reason: { code: "actor.timeout" } }, { reason: { code: "actor.timeout" } }]);
    expect(reports.filter((text) => text.startsWith("unhandled"))).toHaveLength(4);
    expect(inside(pid).got).toEqual([]);
  });
});

describe("an actor that does not split its mail (§4.1)", () => {
  test("gets all of it plainly", async () => {
    const { kernel, actor } = addressed();
    kernel.send("n", "a");
    kernel.send(actor.createAlias(), "b");
    expect(await kernel.call("n", "x")).toBe("pid x");
    expect(actor.got).toEqual([
      ["pid", "a"],
      ["pid", "b"],
    ]);
  });
});
