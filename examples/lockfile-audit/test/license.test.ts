import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allOf, anyOf, judgeLicense } from "../src/license.ts";

describe("a licence expression", () => {
  test.each([
    ["permissive", "MIT"],
    ["permissive", "0BSD"],
    ["permissive", "BSD-3-Clause"],
    ["permissive", "CC-BY-4.0"],
    ["permissive", "Apache-2.0 WITH LLVM-exception"],
    ["permissive", "(MIT AND Zlib)"],
    ["permissive", "MIT OR GPL-3.0-or-later"],
    ["permissive", "(BSD-2-Clause OR MIT OR Apache-2.0)"],
    ["weak_copyleft", "MPL-2.0"],
    ["weak_copyleft", "LGPL-2.1+"],
    ["weak_copyleft", "MIT AND LGPL-3.0-only"],
    ["weak_copyleft", "EPL-2.0 OR GPL-2.0-only WITH Classpath-exception-2.0"],
    ["strong_copyleft", "GPL-2.0"],
    ["strong_copyleft", "AGPL-3.0-only"],
    ["strong_copyleft", "MIT AND (GPL-2.0-only OR AGPL-3.0-only)"],
    ["strong_copyleft", "CC-BY-SA-4.0"],
    ["unknown", "LicenseRef-tea-house"],
    ["unknown", "BUSL-1.1"],
    ["unknown", "CC-BY-NC-4.0"],
    ["unknown", "BSD-3-Clause-No-Military-License"],
    ["unknown", "MIT AND LicenseRef-tea-house"],
    ["permissive", "MIT OR LicenseRef-tea-house"],
  ])("is %s for %s", (kind, expression) => {
    expect(judgeLicense(expression)).toEqual({ kind, expression, isValid: true });
  });

  test.each(["Apache 2.0", "mit", "UNLICENSED", "SEE LICENSE IN LICENSE.txt", "MIT OR", "BSD", "MIT/X11", "(".repeat(50_000)])(
    "is unknown and not valid for %.40s",
    (expression) => {
      expect(judgeLicense(expression)).toEqual({ kind: "unknown", expression, isValid: false });
    },
  );

  test.each([7, true, { name: "MIT" }])("is unknown for %j, which is there but says nothing", (given) => {
    expect(judgeLicense(given)).toEqual({ kind: "unknown", expression: JSON.stringify(given), isValid: false });
  });

  test.each([[undefined], [null], [""], ["  "], [[]], [{}], [{ type: "" }]])("is missing for %j", (given) => {
    expect(judgeLicense(given)).toMatchObject({ kind: "missing", isValid: false });
  });
});

describe("the licence field of an old package", () => {
  test("may be a list, of which any can be chosen", () => {
    expect(judgeLicense(["MIT", "GPL-2.0"])).toEqual({ kind: "permissive", expression: "MIT or GPL-2.0", isValid: false });
    expect(judgeLicense([{ type: "GPL-2.0", url: "https://x.example" }, "LGPL-2.1"])).toMatchObject({ kind: "weak_copyleft" });
  });

  test("may be an object with a type", () => {
    expect(judgeLicense({ type: "MIT", url: "https://x.example" })).toEqual({
      kind: "permissive",
      expression: "MIT",
      isValid: false,
    });
  });
});

describe("the algebra of licence kinds", () => {
  const kind = fc.constantFrom("permissive" as const, "weak_copyleft" as const, "unknown" as const, "strong_copyleft" as const);
  const kinds = fc.array(kind, { minLength: 1, maxLength: 6 });

  test("does not depend on the order or the nesting of an expression", () => {
    fc.assert(
      fc.property(kinds, kinds, (left, right) => {
        for (const join of [allOf, anyOf]) {
          expect(join([...left, ...right])).toBe(join([...right, ...left]));
          expect(join([join(left), join(right)])).toBe(join([...left, ...right]));
        }
      }),
    );
  });

  test("lets a choice never ask more than any of its parts, and a sum never less", () => {
    fc.assert(
      fc.property(kinds, kind, (some, one) => {
        expect(anyOf([allOf([...some, one]), one])).toBe(one);
        expect(allOf([anyOf([...some, one]), one])).toBe(one);
      }),
    );
  });
});
