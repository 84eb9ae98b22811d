import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCredentials } from "../../src/executor/credentials.ts";

const secret = "0123456789abcdef";
const ids = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, 2 ** 33, Number.MAX_SAFE_INTEGER));

describe("the credential of a task", () => {
  const { credential, verify } = createCredentials(secret);

  test("is verified for its own task and no other, by whoever has the secret", () => {
    fc.assert(
      fc.property(ids, ids, (id, other) => {
        expect(createCredentials(Buffer.from(secret)).verify(id, credential(id))).toBe(true);
        expect(verify(other, credential(id))).toBe(id === other);
      }),
    );
  });

  test.each(["", "x", "ä".repeat(43), "A".repeat(43), "A".repeat(100_000)])("is not %j", (given) => {
    expect(verify(1, given)).toBe(false);
  });

  test("is another one with another secret", () => {
    expect(createCredentials("another secret, as long").verify(1, credential(1))).toBe(false);
  });

  test("needs a secret of at least 16 bytes", () => {
    expect(() => createCredentials("0123456789abcde")).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

describe("the number that stands for a task", () => {
  const { seal, open } = createCredentials(secret);

  test("is a number that every language can read, and leads back to the task", () => {
    fc.assert(
      fc.property(ids, (id) => {
        const sealed = seal(id);
        expect(Number.isSafeInteger(sealed) && sealed >= 0).toBe(true);
        expect(open(sealed)).toBe(id);
        expect(seal(open(id))).toBe(id);
      }),
      { numRuns: 500 },
    );
  });

  test("says nothing of its neighbours: successive ids lie all over the range", () => {
    const sealed = Array.from({ length: 1_000 }, (_, id) => seal(id));
    expect(new Set(sealed).size).toBe(1_000);
    // Of 16 equal parts of the range each gets some 62 of a thousand.
    const counts = Map.groupBy(sealed, (one) => Math.floor(one / 2 ** 49));
    expect(counts.size).toBe(16);
    for (const part of counts.values()) expect(part.length).toBeLessThan(120);
  });

  test("is another one with another secret", () => {
    expect(createCredentials("another secret, as long").seal(7)).not.toBe(seal(7));
  });

  test("is refused where it cannot be one", () => {
    for (const given of [-1, 1.5, Number.NaN, 2 ** 53])
      expect(() => open(given)).toThrow(expect.objectContaining({ code: "usage.invalid" }));
  });
});
