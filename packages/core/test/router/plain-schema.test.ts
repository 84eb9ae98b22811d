import { Ajv2020 } from "ajv/dist/2020.js";
import formatsModule from "ajv-formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { isPlainSchema } from "../../src/router/plain-schema.ts";

const ajv = new Ajv2020({ strict: false });
formatsModule.default(ajv as never);

const KEYWORDS = [
  ..."$schema $ref $id $defs $comment $anchor title description default examples deprecated readOnly type const enum".split(" "),
  ..."properties patternProperties required additionalProperties propertyNames minProperties items prefixItems contains".split(
    " ",
  ),
  ..."minItems uniqueItems maxLength pattern format minimum exclusiveMaximum multipleOf allOf anyOf oneOf not if other".split(
    " ",
  ),
];

const leaf = fc.oneof(
  fc.constantFrom<unknown>("string", "object", "#", "#/$defs/a", "a b", "[", "\\Z", "^a+$", "elsewhere.json", null, true, false),
  fc.constantFrom<unknown>("https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"),
  fc.constantFrom<unknown>(0, 1, -1, 0.5, [], ["a", "b"], ["a", "a"], ["string", "null"], [1]),
);

const { value: someValue } = fc.letrec<{ value: unknown; schema: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    tie("schema"),
    fc.array(tie("schema"), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom("a", "b"), tie("schema"), { maxKeys: 2 }),
  ),
  schema: fc.dictionary(fc.constantFrom(...KEYWORDS), tie("value"), { maxKeys: 3 }),
}));

/** What fits its keyword, so that whole schemas come about often enough. */
const FITTING: Record<string, readonly unknown[]> = {
  type: ["string", ["string", "null"]],
  minItems: [0, 1],
  required: [["a", "b"]],
  pattern: ["^a+$"],
  enum: [["a"], [1, null]],
  $ref: ["#", "#/$defs/a"],
};

const { schema: fittingSchema } = fc.letrec<{ schema: unknown }>((tie) => {
  const flat = Object.entries(FITTING).map(([key, values]) => fc.constantFrom(...values).map((value) => ({ [key]: value })));
  const nested = ["items", "not", "additionalProperties"].map((key) => tie("schema").map((value) => ({ [key]: value })));
  const named = ["properties", "$defs"].map((key) =>
    fc.dictionary(fc.constantFrom("a", "b"), tie("schema")).map((value) => ({ [key]: value })),
  );
  const lists = ["anyOf", "allOf"].map((key) =>
    fc.array(tie("schema"), { minLength: 1, maxLength: 2 }).map((value) => ({ [key]: value })),
  );
  const wild = fc.tuple(fc.constantFrom(...KEYWORDS), someValue).map(([key, value]) => ({ [key]: value }));
  return {
    schema: fc
      .array(fc.oneof({ maxDepth: 4 }, ...flat, ...nested, ...named, ...lists, { arbitrary: wild, weight: 1 }), { maxLength: 3 })
      .map((parts) => Object.assign({}, ...parts) as unknown),
  };
});

describe("a schema that is taken for plain", () => {
  test("is one for Ajv too, whatever it holds", () => {
    let plain = 0;
    fc.assert(
      fc.property(fittingSchema, (schema) => {
        if (!isPlainSchema(schema)) return;
        plain++;
        expect(ajv.validateSchema(schema as object), JSON.stringify(schema)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
    expect(plain).toBeGreaterThan(300);
  });

  test("is what Zod makes of payloads", () => {
    const payload = z.object({
      id: z.uuid().describe("Which."),
      amount: z.int().min(1).max(9).default(1),
      price: z.number().positive(),
      kind: z.enum(["a", "b"]),
      tag: z.union([z.literal("x"), z.null()]).optional(),
      lines: z.array(z.tuple([z.string().min(1).regex(/^a/), z.boolean()])),
      more: z.record(z.string(), z.unknown()),
    });
    expect(isPlainSchema(z.toJSONSchema(payload))).toBe(true);
    expect(isPlainSchema(z.toJSONSchema(payload, { io: "input" }))).toBe(true);
  });

  test("is none that refers to another, or to the schema of schemas", () => {
    expect(isPlainSchema({ $ref: "other.json" })).toBe(false);
    expect(isPlainSchema({ properties: { a: { $ref: "https://json-schema.org/draft/2020-12/schema" } } })).toBe(false);
    expect(isPlainSchema({ $schema: "http://json-schema.org/draft-07/schema#" })).toBe(false);
    expect(isPlainSchema({ type: "strng" })).toBe(false);
  });
});
