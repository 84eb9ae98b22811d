import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashText, mix, moduloOf, rendezvous } from "../../src/member/hash.ts";
import { names } from "./members.ts";

const keys = Array.from({ length: 10_000 }, (_, index) => `order-${index}`);

/** How far counts are from an even spread: the chi-square statistic. */
function unevenness(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** A bound that chi-square with `freedom` degrees passes once in a million: Wilson and Hilferty's approximation. */
function bound(freedom: number): number {
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + 4.753 * Math.sqrt(spread)) ** 3;
}

describe("the hash of a text", () => {
  test("is FNV-1a over its UTF-8 bytes, as published", () => {
    expect(hashText("")).toBe(0x811c9dc5);
    expect(hashText("a")).toBe(0xe40c292c);
    expect(hashText("foobar")).toBe(0xbf9cf968);
  });

  test("takes a letter outside of ASCII for its UTF-8 bytes", () => {
    const bytes = new TextEncoder().encode("grün 漢字");
    let reference = 0x811c9dc5n;
    for (const byte of bytes) reference = ((reference ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
    expect(hashText("grün 漢字")).toBe(Number(reference));
  });

  test("is the same in another process", () => {
    const path = fileURLToPath(new URL("../../src/member/hash.ts", import.meta.url));
    const script = `import { rendezvous } from ${JSON.stringify(path)};
      const ids = ["a", "b", "c"];
      process.stdout.write(Array.from({ length: 200 }, (_, i) => rendezvous("key-" + i, ids)).join(""));`;
    const child = spawnSync(process.execPath, ["--input-type=module-typescript", "-e", script], { encoding: "utf8" });
    expect(child.stderr.replace(/.*ExperimentalWarning.*\n.*\n/, "")).toBe("");
    expect(child.stdout).toBe(Array.from({ length: 200 }, (_, i) => rendezvous(`key-${i}`, ["a", "b", "c"])).join(""));
  });

  test("spread by mix keeps different numbers different", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        expect(mix(a) === mix(b)).toBe((a | 0) === (b | 0));
      }),
    );
  });
});

describe("rendezvous", () => {
  test("gives a key to the same member, in whatever order the members are listed", () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(ids, fc.string({ minLength: 1 }), (members, key) => {
        const chosen = rendezvous(key, members);
        expect(members).toContain(chosen);
        expect(rendezvous(key, members.toReversed())).toBe(chosen);
      }),
    );
  });

  test("is decided by the id between two members whose ids have the same hash", () => {
    expect(hashText("costarring")).toBe(hashText("liquid"));
    expect(rendezvous("key", ["costarring", "liquid"])).toBe("costarring");
    expect(rendezvous("key", ["liquid", "costarring"])).toBe("costarring");
  });

  test("moves at most 30 % of 10,000 keys when a fourth member joins three, and only to the new one", () => {
    const three = ["a", "b", "c"];
    const moved = keys.filter((key) => rendezvous(key, three) !== rendezvous(key, [...three, "d"]));
    expect(moved.length).toBeLessThanOrEqual(3_000);
    expect(moved.length).toBeGreaterThan(2_000);
    expect(moved.every((key) => rendezvous(key, [...three, "d"]) === "d")).toBe(true);
  });

  test("moves only the keys of a member that leaves", () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(ids, fc.nat(), fc.string({ minLength: 1 }), (members, pick, key) => {
        const gone = members[pick % members.length];
        const before = rendezvous(key, members);
        const later = rendezvous(
          key,
          members.filter((id) => id !== gone),
        );
        if (before !== gone) expect(later).toBe(before);
        else expect(later).not.toBe(gone);
      }),
    );
  });

  test("spreads keys evenly over two to sixteen members", () => {
    for (let count = 2; count <= 16; count++) {
      const ids = names(count, "node-eu/pool-");
      const counts = new Map(ids.map((id) => [id, 0]));
      for (const key of keys) {
        const id = rendezvous(key, ids) ?? "";
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      expect(unevenness([...counts.values()])).toBeLessThan(bound(count - 1));
    }
  });

  test("spreads the keys of a member that left evenly over those that stay", () => {
    const ids = names(5);
    const counts = new Map(ids.slice(1).map((id) => [id, 0]));
    for (const key of keys.filter((key) => rendezvous(key, ids) === "m0")) {
      const id = rendezvous(key, ids.slice(1)) ?? "";
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(unevenness([...counts.values()])).toBeLessThan(bound(3));
  });

  test("has nobody to give a key to among no members", () => {
    expect(rendezvous("key", [])).toBeUndefined();
  });
});

describe("the remainder of an integer key", () => {
  test("lies in range and differs from the key by a multiple of the count, for negative keys too", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 1_000 }), (key, count) => {
        const at = moduloOf(key, count);
        expect(at).toBeGreaterThanOrEqual(0);
        expect(at).toBeLessThan(count);
        expect((BigInt(key) - BigInt(at)) % BigInt(count)).toBe(0n);
        expect(moduloOf(BigInt(key), count)).toBe(at);
      }),
    );
  });

  test("puts -1 with the last member and -0 with the first", () => {
    expect(moduloOf(-1, 3)).toBe(2);
    expect(moduloOf(-0, 3)).toBe(0);
    expect(moduloOf(-3, 3)).toBe(0);
  });
});
