import { describe, expect, expectTypeOf, test } from "vitest";
import type { Converter, ConvertRequest, ConvertResult } from "../../src/executor/executor.ts";
import { defineExecutors, jsonConverter, refuse, tryLater } from "../../src/executor/local.ts";
import { instance, request } from "../fixtures/things.ts";

interface Order {
  readonly price: number;
}
interface Account {
  readonly paid: number;
}

const local = defineExecutors({
  copy: ({ from }) => ({ type: "instances", instances: [{ content: from.content }] }),
  later: async () => ({ type: "delay", delayMs: 5 }),
  stamp: { before: (upstream) => ({ ...upstream, content: "stamped" }), after: (outputs) => outputs.slice(1) },
});

describe("local executors", () => {
  test("are found by name, in the roles that they have", async () => {
    expect(local.names).toEqual(["copy", "later", "stamp"]);
    expectTypeOf(local.names[0]).toEqualTypeOf<"copy" | "later" | "stamp" | undefined>();
    const { convert } = local.resolve("copy");
    expect(await convert?.(request({ from: instance({ meta: "B:a:1", content: "c" }) }))).toEqual({
      type: "instances",
      instances: [{ content: "c" }],
    });
    expect(await local.resolve("later").convert?.(request({}))).toEqual({ type: "delay", delayMs: 5 });
    expect(Object.keys(local.resolve("stamp"))).toEqual(["before", "after"]);
  });

  test("that are not there are named with what was meant", () => {
    expect(() => local.resolve("cpoy")).toThrow(
      expect.objectContaining({ code: "executor.unknown", message: expect.stringContaining("did you mean copy?") }),
    );
    expect(() => local.resolve("toString")).toThrow(expect.objectContaining({ code: "executor.unknown" }));
    expect(() => defineExecutors({}).resolve("x")).toThrow("known are none");
  });

  test("are refused when they are nothing that can be called", () => {
    expect(() => defineExecutors({ x: { convrt: () => ({ type: "none" }) } as unknown as Converter })).toThrow(
      expect.objectContaining({ code: "config.invalid", message: expect.stringContaining("executors.x.convrt") }),
    );
  });
});

describe("a JSON converter", () => {
  const convert = (converter: Converter, given: Partial<ConvertRequest> & { content?: string }): ConvertResult =>
    converter(request({ from: instance({ meta: "B:a:1", content: given.content ?? "" }), ...given })) as ConvertResult;

  const pay = jsonConverter<Order, Account>(({ content, last }) => {
    expectTypeOf(content).toEqualTypeOf<Order>();
    expectTypeOf(last).toEqualTypeOf<Account | undefined>();
    if (content.price < 0) throw refuse("a price is never negative");
    if (last === undefined) throw tryLater("no account yet");
    return { value: { paid: last.paid + content.price }, states: ["paid"] };
  });

  test("parses what comes, writes what goes, and leaves the rest of an output as it is", () => {
    const last = instance({ meta: "B:b:1", version: 1, content: '{"paid":100}' });
    expect(convert(pay, { content: '{"price":7}', last })).toEqual({
      type: "instances",
      instances: [{ content: '{"paid":107}', states: ["paid"] }],
    });
  });

  test("knows no last version where its content is empty", () => {
    const last = instance({ meta: "B:b:1", version: 1 });
    expect(() => convert(pay, { content: '{"price":7}', last })).toThrow(
      expect.objectContaining({ code: "executor.environment", retryable: true }),
    );
  });

  test("refuses for good what is no JSON, and what it says that it refuses", () => {
    expect(() => convert(pay, { content: "x" })).toThrow(expect.objectContaining({ code: "executor.logic", retryable: false }));
    expect(() => convert(pay, { content: '{"price":-1}' })).toThrow(
      expect.objectContaining({ code: "executor.logic", message: "a price is never negative" }),
    );
    const last = instance({ meta: "B:b:1", version: 1, content: "x" });
    expect(() => convert(pay, { content: '{"price":1}', last })).toThrow("the last version");
  });

  test("may give several outputs, none, or any other answer, at once or later", async () => {
    const any = jsonConverter<number, number, unknown, string>(async ({ content, master }) => {
      if (content === 0) return undefined;
      if (content < 0) return { type: "delay", delayMs: 1_000 };
      return Array.from({ length: content }, (_, at) => ({ value: at, para: master ?? "" }));
    });
    expect(await convert(any, { content: "0" })).toEqual({ type: "instances", instances: [] });
    expect(await convert(any, { content: "-1" })).toEqual({ type: "delay", delayMs: 1_000 });
    const master = instance({ meta: "B:m:1", content: '"p"' });
    expect(await convert(any, { content: "2", master })).toEqual({
      type: "instances",
      instances: [
        { content: "0", para: "p" },
        { content: "1", para: "p" },
      ],
    });
  });

  test("refuses to write what JSON cannot say", () => {
    const silly = jsonConverter<number, unknown>(() => ({ value: () => 7 }));
    expect(() => convert(silly, { content: "1" })).toThrow(expect.objectContaining({ code: "executor.logic" }));
  });
});
