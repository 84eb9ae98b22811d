import fc from "fast-check";
import type { Declarations } from "../../src/catalog/catalog.ts";
import type { Meta } from "../../src/meta/meta.ts";
import { stateRules } from "../../src/meta/state-set.ts";
import type { Condition, ExecutorSpec, Relation } from "../../src/relation/relation.ts";

/** Text with everything that quoting can get wrong. */
const text = fc.oneof(
  fc.string({ maxLength: 20, unit: "grapheme" }),
  fc.string({
    maxLength: 20,
    unit: fc.constantFrom("'", '"', "\\", "\n", "\0", "`", ";", "-", "#", "<", "/", "*", "(", "%", "\u001a", "é", "😀"),
  }),
);
const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const key = fc.stringMatching(/^[a-zä"'\\#<&]{1,3}(\/[a-z ]{1,3}){0,2}$/).filter((one) => !one.endsWith("/"));
const states = fc.constantFrom("", "a", "a|b", "a,b|c", "p[a|b],c", "новый|q[оплачен,d]", "a'|b\\|c\"");

const meta: fc.Arbitrary<Meta> = fc
  .record({
    type: fc.constantFrom("B", "S", "D"),
    key,
    version: fc.constantFrom(0, 1, 2, 4_294_967_295),
    states: some(states),
    description: some(text),
    fields: some(fc.constantFrom({ type: "object" }, { required: ["a"], properties: { a: { type: "string", maxLength: 0 } } })),
    name: some(text),
    isState: some(fc.boolean()),
    cacheSaved: some(fc.boolean()),
    retentionMs: some(fc.integer({ min: 1, max: 2 ** 40 })),
    enabled: some(fc.boolean()),
  })
  .map(({ type, key: path, version, states: expression, description, fields, enabled, ...settings }) => ({
    meta: `${type}:${path}:${version}`,
    ...(expression === undefined ? {} : { states: expression }),
    ...(description === undefined ? {} : { description }),
    ...(fields === undefined ? {} : { fields }),
    settings: settings as Meta["settings"] & object,
    ...(enabled === undefined ? {} : { enabled }),
  }));

const executor: fc.Arbitrary<ExecutorSpec> = fc
  .record(
    {
      kind: fc.constantFrom(
        ["http", "http://127.0.0.1:9/x?a='b'"],
        ["https", "https://example.test/ä"],
        ["local", "lib:fun"],
        ["local", "payCount"],
        ["builtin", "merge"],
        ["processor", "order.price"],
        ["actor", "a"],
        ["stream", "s"],
      ),
      settings: text,
      timeoutMs: fc.integer({ min: 1, max: 10_000 }),
    },
    { requiredKeys: ["kind"] },
  )
  .map(({ kind: [protocol, url], ...rest }) => ({ protocol, url, ...rest }) as ExecutorSpec);

const names = fc.array(
  text.filter((one) => one !== ""),
  { maxLength: 2 },
);
const condition: fc.Arbitrary<Condition> = fc.record({ none: names, all: names, any: names }, { requiredKeys: [] });
const part = fc.integer({ min: 0, max: 255 });

/** Settings that fit the states of two metas. */
function relationBetween(from: Meta, to: Meta): fc.Arbitrary<Relation> {
  const of = ({ states: expression = "" }: Meta): fc.Arbitrary<string[]> =>
    fc.subarray(stateRules(expression).names).map((found) => found.slice(0, 1));
  const on = (one: Meta): fc.Arbitrary<Condition> =>
    fc.record({ none: of(one), all: of(one), any: of(one) }, { requiredKeys: [] });
  return fc.record({
    from: fc.constant(from.meta),
    to: fc.constant(to.meta),
    enabled: fc.boolean(),
    settings: fc.record(
      {
        description: text,
        selector: fc.record({ context: condition, sysContext: condition, states: on(from) }, { requiredKeys: [] }),
        downSelector: on(to),
        executor,
        before: fc.array(executor, { maxLength: 2 }),
        after: fc.array(executor, { maxLength: 2 }),
        useUpstreamId: fc.boolean(),
        target: fc.record(
          {
            addStates: of(to),
            removeStates: of(to),
            appendPara: fc.array(part, { maxLength: 3 }),
            dynamicPara: text.filter((one) => one !== ""),
          },
          { requiredKeys: [] },
        ),
        delayMs: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.constant(3_000)),
        delayOnPara: fc.record({
          extraMs: fc.oneof(fc.constantFrom(0, 1, 1_000, 60_000), fc.integer({ min: 0, max: 9_999 })),
          part,
        }),
        idBridge: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  });
}

/** Declarations that fit together, M and L metas and masters among them. */
export const declarations: fc.Arbitrary<Declarations> = fc
  .uniqueArray(meta, { minLength: 1, maxLength: 5, selector: (one) => one.meta })
  .chain((plain) => {
    const enabled = plain.filter((one) => one.enabled !== false);
    const stateless = enabled.filter((one) => (one.states ?? "") === "" && one.settings?.isState !== true);
    const members = stateless.map((one) => one.meta);
    const first = enabled[0];
    const more: Meta[] = [
      ...(members.length > 0 ? [{ meta: "M:many/of them:1", settings: { multiMeta: members } }] : []),
      ...(members.length > 0 ? [{ meta: "L:loop:1", settings: { multiMeta: members.slice(0, 1), onlyOne: true } }] : []),
      ...(first === undefined ? [] : [{ meta: "B:mastered:1", states: "x|y", settings: { master: first.meta } }]),
    ];
    const metas = [...plain, ...more];
    const targets: Meta[] = [...enabled, ...more, { meta: "N::1" }, { meta: "D:free:1" }];
    const sources = targets.filter(({ meta: name }) => !/^[ML]/.test(name));
    const pairs = fc.uniqueArray(fc.tuple(fc.nat(sources.length - 1), fc.nat(targets.length - 1)), {
      maxLength: 6,
      selector: ([from, to]) => `${sources[from]?.meta}>${targets[to]?.meta}`,
    });
    return pairs
      .chain((chosen) => fc.tuple(...chosen.map(([from, to]) => relationBetween(sources[from] as Meta, targets[to] as Meta))))
      .map((relations) => ({ metas, relations }));
  });
