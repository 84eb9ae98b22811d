import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { createMemoryTreeStore, type TreeStore } from "../../src/tree/store.ts";
import { formatToken, parseToken, TokenBook } from "../../src/tree/tokens.ts";

const HOUR_MS = 3_600_000;

function bookIn(store: TreeStore, clock = new VirtualClock()): TokenBook {
  return new TokenBook(store, store.load(), clock);
}

function refusal(work: () => unknown): { code: string | undefined; message: string } {
  try {
    work();
  } catch (error) {
    return { code: codeOf(error), message: (error as Error).message };
  }
  throw new Error("it was not refused");
}

const because = (why: RegExp): unknown => ({ code: "auth.unauthenticated", message: expect.stringMatching(why) });

describe("the tokens of a node", () => {
  test("M-40: a token is used up by as many nodes as it has uses, and the same node may come again", () => {
    const book = bookIn(createMemoryTreeStore());
    const { secret, info } = book.create({ purpose: "join", uses: 2 });
    for (const node of ["a", "b", "a"]) book.redeem(secret, "join", node);
    expect(refusal(() => book.redeem(secret, "join", "c"))).toEqual(because(/is used up/));
    expect(book.list()).toEqual([{ ...info, usedBy: ["a", "b"] }]);
  });

  test("M-40: a token that has expired is refused, also to a node that has used it", async () => {
    const clock = new VirtualClock();
    const book = bookIn(createMemoryTreeStore(), clock);
    const { secret } = book.create({ purpose: "join" });
    await clock.advance(HOUR_MS - 1);
    book.redeem(secret, "join", "a");
    await clock.advance(1);
    expect(refusal(() => book.redeem(secret, "join", "a"))).toEqual(because(/has expired/));
  });

  test("M-40: a wrong secret, another purpose and a revoked token are refused", () => {
    const book = bookIn(createMemoryTreeStore());
    const { secret, info } = book.create({ purpose: "join" });
    expect(refusal(() => book.redeem("guess", "join", "a"))).toEqual(because(/is not known here/));
    expect(refusal(() => book.redeem(secret, "adopt", "a"))).toEqual(because(/for another purpose/));
    book.revoke(info.id);
    expect(refusal(() => book.redeem(secret, "join", "a"))).toEqual(because(/is not known here/));
    expect(refusal(() => book.revoke(info.id)).code).toBe("resource.not_found");
  });

  test("M-40: a use is kept before it counts, and no secret is kept at all", () => {
    const store = createMemoryTreeStore();
    const { secret } = bookIn(store).create({ purpose: "adopt" });
    bookIn(store).redeem(secret, "adopt", "a");
    expect(refusal(() => bookIn(store).redeem(secret, "adopt", "b"))).toEqual(because(/is used up/));
    expect(JSON.stringify([...store.load()])).not.toContain(secret);
    const failing: TreeStore = {
      ...store,
      put: () => {
        throw new Error("no space left");
      },
    };
    const other = bookIn(store).create({ purpose: "join" });
    const book = bookIn(failing);
    expect(refusal(() => book.redeem(other.secret, "join", "a")).message).toBe("no space left");
    expect(book.list().find(({ id }) => id === other.info.id)?.usedBy).toEqual([]);
  });
});

describe("the text of a token", () => {
  test("M-40: says what was put into it, also two fingerprints during a change of the authority", () => {
    const token = { address: "[::1]:7400", secret: "s", purpose: "join", fingerprint: "new.old" } as const;
    expect(parseToken(` ${formatToken(token)}\n`)).toEqual(token);
    const { fingerprint: _, ...plain } = token;
    expect(parseToken(formatToken(plain))).toEqual(plain);
  });

  test("M-40: is refused with auth.unauthenticated if it is anything else", () => {
    const json = (value: unknown): string => `mnt1.${Buffer.from(JSON.stringify(value)).toString("base64url")}`;
    const texts = ["", "mnt1.", "mnt2.e30", json(null), json([]), json({ a: "x", s: "y" }), json({ a: 1, s: "y", p: "join" })];
    for (const text of [...texts, json({ a: "x", s: "y", p: "rule" })]) {
      expect(
        refusal(() => parseToken(text)),
        text,
      ).toEqual(because(/is no token/));
    }
    fc.assert(
      fc.property(
        fc.string(),
        (text) => void expect(refusal(() => parseToken(`mnt1.${text}`)).code).toBe("auth.unauthenticated"),
      ),
    );
  });
});
