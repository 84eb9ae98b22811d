import { describe, expect, expectTypeOf, test } from "vitest";
import { defineFlow, type LeafStates, meta } from "../../src/declare/index.ts";
import type { Instance } from "../../src/instance/instance.ts";
import { stateRules } from "../../src/meta/state-set.ts";

const metas = {
  order: meta("B:sale/order:1"),
  state: meta("B:sale/state:1", { states: "new|paid[cash,card],flagged", master: "order" }),
  all: meta("M:sale/all:1", { multiMeta: ["order"] }),
};
const executors = {
  price: () => ({ type: "none" }) as const,
  check: { before: (instance: Instance) => instance },
  pack: { protocol: "http", url: "http://127.0.0.1/pack" },
} as const;
const protocol = "builtin";

/** Each of these must not compile; those that also fail when they are run are run. */
const refused: (() => unknown)[] = [
  // @ts-expect-error "nowhere" is no meta of the flow
  () => defineFlow({ metas, relations: (relate) => [relate("order", "nowhere")] }),
  // @ts-expect-error neither is this
  () => defineFlow({ metas, relations: (relate) => [relate("oder", "state")] }),
  // @ts-expect-error "new" is spelt otherwise
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { target: { addStates: ["neww"] } })] }),
  // @ts-expect-error a group is no state
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { target: { removeStates: ["paid"] } })] }),
  // @ts-expect-error the target has no states
  () => defineFlow({ metas, relations: (relate) => [relate("state", "order", { target: { addStates: ["new"] } })] }),
  // @ts-expect-error the upstream has no states
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { selector: { states: { all: ["new"] } } })] }),
  // @ts-expect-error a state of the upstream, where one of the target is meant
  () => defineFlow({ metas, relations: (relate) => [relate("state", "order", { downSelector: { any: ["new"] } })] }),
  // @ts-expect-error no such state to be selected by
  () => defineFlow({ metas, relations: (relate) => [relate("state", "order", { selector: { states: { none: ["sold"] } } })] }),
  // @ts-expect-error no executor of this name
  () => defineFlow({ metas, executors, relations: (relate) => [relate("order", "state", { executor: "prise" })] }),
  // @ts-expect-error nor with settings
  () => defineFlow({ metas, executors, relations: (relate) => [relate("order", "state", { executor: { name: "prise" } })] }),
  // @ts-expect-error no executors at all
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { executor: "price" })] }),
  // @ts-expect-error no such protocol
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { executor: { protocol: "ftp", url: "a" } })] }),
  // @ts-expect-error no such setting
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { delay: 5 })] }),
  // @ts-expect-error nothing leaves a meta of type M
  () => defineFlow({ metas, relations: (relate) => [relate("all", "order")] }),
  // @ts-expect-error a master that is not there
  () => defineFlow({ metas: { state: meta("B:sale/state:1", { master: "order" }) } }),
  // @ts-expect-error a member that is not there
  () => defineFlow({ metas: { all: meta("M:sale/all:1", { multiMeta: ["order"] }) } }),
  // @ts-expect-error no type X
  () => meta("X:sale/order:1") && defineFlow({ metas: { order: meta("X:sale/order:1" as "B:a:1") } }),
  // @ts-expect-error no version
  () => defineFlow({ metas: { order: meta("B:sale/order") } }),
  // @ts-expect-error a filter does not convert
  () => defineFlow({ metas, executors, relations: (relate) => [relate("order", "state", { executor: "check" })] }),
  // @ts-expect-error a converter does not filter
  () => defineFlow({ metas, executors, relations: (relate) => [relate("order", "state", { before: ["price"] })] }),
];

/** These must not compile either; whoever runs the executor finds out otherwise. */
const refusedByTheCompiler: (() => unknown)[] = [
  // @ts-expect-error no built-in of this name
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { executor: { protocol, url: "sum" } })] }),
  // @ts-expect-error a built-in that filters
  () => defineFlow({ metas, relations: (relate) => [relate("order", "state", { executor: { protocol, url: "para_as_key" } })] }),
  // @ts-expect-error an executor that answers something else
  () => defineFlow({ metas, executors: { odd: () => ({ type: "maybe" }) } }),
];

describe("what does not fit together in a flow", () => {
  test.each(refused.map((declare) => [String(declare).replace(/^\(\) => /, ""), declare] as const))(
    "does not compile, and does not start where no compiler looked: %s",
    (_text, declare) => {
      expect(declare).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(meta|relation|instance|executor|config)\.\w+$/) }),
      );
    },
  );
});

describe("what only shows when an executor runs", () => {
  test.each(refusedByTheCompiler)("does not compile either: %s", (declare) => {
    expect(declare).not.toThrow();
  });
});

describe("states read by the compiler", () => {
  test("are those that the parser reads, with groups, alternatives and blanks", () => {
    expectTypeOf<LeafStates<"a">>().toEqualTypeOf<"a">();
    expectTypeOf<LeafStates<"new|paid|package">>().toEqualTypeOf<"new" | "paid" | "package">();
    expectTypeOf<LeafStates<"draft|live[eu|us,audited],flagged">>().toEqualTypeOf<
      "draft" | "eu" | "us" | "audited" | "flagged"
    >();
    expectTypeOf<LeafStates<"s1[s1-1,s1-2,s1-3|s1-4],s2|s3,s4">>().toEqualTypeOf<
      "s1-1" | "s1-2" | "s1-3" | "s1-4" | "s2" | "s3" | "s4"
    >();
    expectTypeOf<LeafStates<"a[b[c[d|e],f]]">>().toEqualTypeOf<"d" | "e" | "f">();
    expectTypeOf<LeafStates<" a , b c |\n d [ e ] ">>().toEqualTypeOf<"a" | "b c" | "e">();
    expectTypeOf<LeafStates<"новый|оплачен">>().toEqualTypeOf<"новый" | "оплачен">();
    expect(stateRules(" a , b c |\n d [ e ] ").names).toEqual(["a", "b c", "e"]);
  });

  test("are none of no expression, and any text of one that only shows at run time or is too long", () => {
    expectTypeOf<LeafStates<"">>().toEqualTypeOf<never>();
    expectTypeOf<LeafStates<string>>().toEqualTypeOf<string>();
    type Ten = "a,a,a,a,a,a,a,a,a,a";
    type Hundred = `${Ten},${Ten},${Ten},${Ten},${Ten},${Ten},${Ten},${Ten},${Ten},${Ten}`;
    expectTypeOf<LeafStates<Hundred>>().toEqualTypeOf<"a">();
    expectTypeOf<LeafStates<`${Hundred},${Hundred},${Hundred},${Hundred}`>>().toEqualTypeOf<string>();
  });
});

describe("a flow", () => {
  test("takes each of its names where it belongs", () => {
    const flow = defineFlow({
      metas,
      executors: {
        ...executors,
        // What it is given is known without saying so.
        copy: ({ from }) => ({ type: "instances", instances: [{ content: from.content.trim() }] }),
      },
      relations: (relate) => [
        relate("order", "state", { executor: "copy", before: ["check", "pack"], target: { addStates: ["new", "flagged"] } }),
        relate("state", "all", { executor: { name: "price", settings: { currency: "EUR" }, timeoutMs: 500 } }),
      ],
    });
    expectTypeOf(flow.names).toEqualTypeOf<{ readonly order: string; readonly state: string; readonly all: string }>();
    expect(flow.names).toEqual({ order: "B:sale/order:1", state: "B:sale/state:1", all: "M:sale/all:1" });
    expect(Object.keys(flow.executors)).toEqual(["price", "check", "copy"]);
    expect(flow.relations[1]?.settings.executor).toEqual({
      protocol: "local",
      url: "price",
      settings: '{"currency":"EUR"}',
      timeoutMs: 500,
    });
  });
});
