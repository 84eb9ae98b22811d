import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digitsOf, parseLossless, rawNumber } from "../../src/executor/lossless-json.ts";

describe("JSON without loss", () => {
  test("writes again what it read, number by number", () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
      fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => JSON.stringify(value)),
      fc.constantFrom("1.50", "-0", "1e3", "1E-7", "0.0", "9007199254740993", "123456789012345678901234567890.5"),
    );
    fc.assert(
      fc.property(fc.array(number), (numbers) => {
        const text = `{"list":[${numbers.join(",")}],"text":"1.50"}`;
        expect(JSON.stringify(parseLossless(text))).toBe(text);
      }),
    );
  });

  test("gives plain values for everything that JavaScript can hold", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        if (!/-0|e/.test(text)) expect(parseLossless(text)).toEqual(JSON.parse(text));
      }),
    );
    expect(parseLossless('{"id":7,"a":1.5}')).toEqual({ id: 7, a: 1.5 });
  });

  test("refuses what is no JSON", () => {
    for (const text of ["", "{", "01", "1.5.5"]) expect(() => parseLossless(text)).toThrow(SyntaxError);
  });

  test("holds ids of 64 bits in both directions", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (id) => {
        const text = JSON.stringify({ id: rawNumber(String(id)) });
        expect(text).toBe(`{"id":${id}}`);
        expect(digitsOf((parseLossless(text) as { id: unknown }).id)).toBe(String(id));
      }),
    );
  });

  test.each([1.5, "1", null, {}, [], Number.NaN, 1e21])("does not take %j for a whole number", (value) => {
    expect(digitsOf(value)).toBeUndefined();
  });
});
