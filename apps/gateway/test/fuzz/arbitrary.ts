import fc from "fast-check";
import type { JsonSchema, OpenApi } from "./subject.ts";

/** Text that JSON.stringify cannot write down: put in place of these after it. */
const WRITTEN: Readonly<Record<string, string>> = {
  "@deep": `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  "@deep-object": `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  "@huge": "1e400",
  "@long": "123456789012345678901234567890",
  "@proto": '{"__proto__":{"polluted":true}}',
  "@constructor": '{"constructor":{"prototype":{"polluted":true}}}',
};

const ODD_TEXTS = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "x\udfff",
  "__proto__",
  "constructor",
  "toString",
  "a|b|c|d",
  "B:fuzz/a:1",
  "B:fuzz/a:1|7||0",
  "../../etc/passwd",
  "%",
  "a\r\nb",
  "é\u0301\u202e",
  "😀".repeat(50),
  "9".repeat(400),
  "2026-13-45T99:99:99Z",
  "x".repeat(5_000),
];
/** What texts of these names say on a node where they mean something. */
const TELLING: Readonly<Record<string, readonly unknown[]>> = {
  meta: ["B:fuzz/a:1", "B:fuzz/b:1", "B:fuzz/new:1"],
  from: ["B:fuzz/a:1"],
  to: ["B:fuzz/b:1"],
  type: ["test.echo", "test.fail", "test.checked", "test.count", "tally.get", "tally.add", "instances", "none", "Instances"],
  id: ["7", "8", "18446744073709551615", "0"],
  states: ["new|paid", ["new"], ["paid"], "a|{b|c}"],
  expression: ["ticks; take", "a; (b || c)", "a;; b"],
  nodes: [
    [
      { name: "ticks", action: "generate" },
      { name: "take", command: "nothing-like-it" },
    ],
  ],
  action: ["generate", "filter", "router.send"],
  specversion: ["1.0"],
  source: ["/fuzz"],
  taskId: ["1", 1],
  credential: ["x"],
};
const ODD_NUMBERS = [0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), Number.MAX_VALUE, 5e-324];

const text = fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ unit: "binary", maxLength: 40 }), fc.string({ maxLength: 12 }));
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, [], {}, [[]], ...ODD_NUMBERS, ...ODD_TEXTS, ...Object.keys(WRITTEN)),
  fc.jsonValue({ maxDepth: 3 }),
);

/** A value as JSON. */
export function jsonOf(value: unknown): string {
  return (JSON.stringify(value) ?? "null").replaceAll(/"(@[a-z-]+)"/g, (whole, name: string) => WRITTEN[name] ?? whole);
}

/** Draws what a schema of the document allows, and now and then what it does not. */
export class Drawing {
  readonly #document: OpenApi;

  constructor(document: OpenApi) {
    this.#document = document;
  }

  of(schema: JsonSchema | undefined, depth = 0): fc.Arbitrary<unknown> {
    if (schema === undefined || depth > 6) return odd;
    return fc.oneof({ weight: 24, arbitrary: this.#fitting(schema, depth) }, { weight: 1, arbitrary: odd });
  }

  /** What a thing of that name is; often what it says on this node. */
  named(name: string, schema: JsonSchema, depth = 0): fc.Arbitrary<unknown> {
    const telling = TELLING[name];
    const drawn = this.of(schema, depth);
    return telling === undefined ? drawn : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...telling) }, drawn);
  }

  #fitting(schema: JsonSchema, depth: number): fc.Arbitrary<unknown> {
    const { $ref, enum: values, const: only } = schema;
    if (typeof $ref === "string") return this.of(this.#document.components.schemas[$ref.split("/").at(-1) ?? ""], depth + 1);
    if (only !== undefined) return fc.constant(only);
    if (Array.isArray(values)) return fc.constantFrom(...(values as unknown[]));
    const choices = (schema.anyOf ?? schema.oneOf ?? schema.allOf) as JsonSchema[] | undefined;
    if (choices !== undefined) return fc.oneof(...choices.map((one) => this.of(one, depth + 1)));
    switch (schema.type) {
      case "string":
        return textOf(schema);
      case "integer":
      case "number":
        return numberOf(schema);
      case "boolean":
        return fc.boolean();
      case "array":
        return fc.array(this.of(schema.items as JsonSchema | undefined, depth + 1), { maxLength: 3 });
      case "object":
        return this.#object(schema, depth);
      default:
        return odd;
    }
  }

  #object({ properties = {}, required = [], additionalProperties }: JsonSchema, depth: number): fc.Arbitrary<unknown> {
    const drawn = Object.entries(properties as Record<string, JsonSchema>).map(([name, one]) => {
      const value = this.named(name, one, depth + 1);
      const isRequired = (required as string[]).includes(name);
      return [name, isRequired ? value : fc.option(value, { nil: undefined, freq: 1 })] as const;
    });
    const known = fc.record(Object.fromEntries(drawn));
    if (additionalProperties === false) return known;
    const one = typeof additionalProperties === "object" ? (additionalProperties as JsonSchema) : undefined;
    const more = fc.dictionary(text, this.of(one, depth + 3), { maxKeys: 2 });
    return fc.tuple(known, more).map(([first, second]) => ({ ...second, ...first }));
  }
}

function textOf({ pattern, format, minLength = 0 }: JsonSchema): fc.Arbitrary<string> {
  if (format === "date-time")
    return fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      text,
    );
  if (typeof pattern === "string") return fc.stringMatching(new RegExp(pattern));
  return minLength === 0 ? text : text.map((one) => one.padEnd(minLength as number, "x"));
}

function numberOf({ type, minimum, maximum }: JsonSchema): fc.Arbitrary<number> {
  const min = typeof minimum === "number" ? minimum : -1_000;
  const max = typeof maximum === "number" ? maximum : Math.max(min, 1_000);
  const edges = [min, max].filter(Number.isSafeInteger);
  const inside =
    type === "integer"
      ? fc.integer({ min: Math.max(min, -(2 ** 31)), max: Math.min(max, 2 ** 31 - 1) })
      : fc.double({ min, max, noNaN: true });
  return fc.oneof(inside, fc.constantFrom(...edges));
}
