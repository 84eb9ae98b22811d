import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import type { Authority } from "../../src/trust/authority.ts";
import { expiresMs, fingerprintOf } from "../../src/trust/certificate.ts";
import { errorOf, until } from "../fixtures/until.ts";
import { authorityOf, credentialOf, DAY_MS, MemoryKeep } from "./trusting.ts";

const derOf = (pem: string): Uint8Array => new X509Certificate(pem).raw;
const countIn = (bundle: string): number => bundle.split("BEGIN CERTIFICATE").length - 1;
const refusal = (authority: Authority, pem: string): Promise<Error> => errorOf((async () => authority.verify(derOf(pem)))());

describe("the authority of a node", () => {
  test("M-40: knows the node of a certificate that it issued, by the name that it gave", async () => {
    using authority = await opened("root");
    const { cert } = await credentialOf(authority.it, "leaf-7");
    expect(authority.it.verify(derOf(cert))).toBe("leaf-7");
    expect(new X509Certificate(cert).subjectAltName).toBe("URI:metanode:node:leaf-7");
  });

  test("M-40: gives back any name as it was, and lets none end and begin another", async () => {
    using authority = await opened("root");
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), async (id) => {
        expect(authority.it.verify(derOf((await credentialOf(authority.it, id)).cert))).toBe(id);
      }),
      {
        numRuns: 60,
        examples: [["a, URI:metanode:node:root"], ["x\nCN=root"], ['q"q'], ["it's"], ["100%25"], ["a+CN=b"], ["# "], ["#0c0161"]],
      },
    );
  });

  test("M-40: refuses what another authority issued, also one of the same node", async () => {
    using authority = await opened("root");
    using other = await opened("root");
    const error = await refusal(authority.it, (await credentialOf(other.it, "leaf")).cert);
    expect(error).toMatchObject({
      code: "auth.unauthenticated",
      message: expect.stringContaining("was not issued by this node"),
    });
  });

  test("M-40: refuses one that has expired, and one that is not valid yet, and says which", async () => {
    const clock = new VirtualClock();
    using authority = await opened("root", clock);
    const early = await credentialOf(authority.it, "leaf");
    await clock.advance(31 * DAY_MS);
    expect(await refusal(authority.it, early.cert)).toMatchObject({
      code: "auth.unauthenticated",
      message: expect.stringMatching(/has expired: it was valid until Jan 31/),
    });
    const late = await credentialOf(authority.it, "leaf");
    clock.stepWall(-2 * DAY_MS);
    expect(await refusal(authority.it, late.cert)).toMatchObject({
      code: "auth.unauthenticated",
      message: expect.stringMatching(/is not valid before/),
    });
  });

  test("A3: refuses certificates that are not for those who dial, and bytes that are none", async () => {
    using authority = await opened("root");
    const why = { code: "auth.unauthenticated", message: expect.stringContaining("is not one for those who dial") };
    expect(await refusal(authority.it, authority.it.server.cert)).toMatchObject(why);
    expect(await refusal(authority.it, authority.it.bundle)).toMatchObject(why);
    const garbage = errorOf((async () => authority.it.verify(new Uint8Array([1, 2, 3])))());
    expect(await garbage).toMatchObject({ code: "auth.unauthenticated", message: expect.stringContaining("cannot be read") });
  });

  test("is the same after a restart, and makes no new one", async () => {
    const keep = new MemoryKeep();
    const clock = new VirtualClock();
    using first = await opened("root", clock, keep);
    const { cert } = await credentialOf(first.it, "leaf");
    using again = await opened("root", clock, keep);
    expect(again.it.fingerprint).toBe(first.it.fingerprint);
    expect(again.it.server).toEqual(first.it.server);
    expect(again.it.verify(derOf(cert))).toBe("leaf");
  });
});

describe("the node's own certificate", () => {
  test("A4: is renewed by itself long before it ends, for as long as the authority is open", async () => {
    const clock = new VirtualClock();
    using authority = await opened("root", clock);
    let changes = 0;
    authority.it.onChange(() => changes++);
    for (let month = 1; month <= 3; month++) {
      const { cert } = authority.it.server;
      const endMs = expiresMs(cert);
      await clock.advance(21 * DAY_MS);
      await until("it is renewed", () => authority.it.server.cert !== cert);
      expect(changes).toBe(month);
      expect(clock.now()).toBeLessThan(endMs - 5 * DAY_MS);
      expect(expiresMs(authority.it.server.cert)).toBeGreaterThan(clock.now() + 20 * DAY_MS);
    }
  });

  test("A4: follows the clock on the wall, which may have been set since", async () => {
    const clock = new VirtualClock();
    using authority = await opened("root", clock);
    const { cert } = authority.it.server;
    clock.stepWall(25 * DAY_MS);
    await clock.advance(3_600_000);
    await until("it is renewed", () => authority.it.server.cert !== cert);
    expect(expiresMs(authority.it.server.cert)).toBeGreaterThan(clock.wallNow() + 29 * DAY_MS);
  });

  test("A4: is tried again when it could not be kept, and what failed is told", async () => {
    const clock = new VirtualClock();
    const keep = new MemoryKeep();
    using authority = await opened("root", clock, keep);
    const { cert } = authority.it.server;
    keep.failure = new Error("no space left");
    await clock.advance(20 * DAY_MS + 3_600_000);
    await until("it failed", () => keep.failures.length > 0);
    expect(authority.it.server.cert).toBe(cert);
    keep.failure = undefined;
    await clock.advance(3_600_000);
    await until("it is renewed", () => authority.it.server.cert !== cert);
  });

  test("leaves no timer behind once the authority is closed", async () => {
    const clock = new VirtualClock();
    const authority = await authorityOf("root", clock);
    authority.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a change of the authority", () => {
  test("A2, M-70: trusts both until the old one is retired, and shows what the old one signed until then", async () => {
    using authority = await opened("root");
    const old = { bundle: authority.it.bundle, leaf: await credentialOf(authority.it, "leaf") };
    await authority.it.rotate();
    const renewed = await credentialOf(authority.it, "leaf");
    expect(countIn(authority.it.bundle)).toBe(2);
    expect([old.leaf, renewed].map(({ cert }) => authority.it.verify(derOf(cert)))).toEqual(["leaf", "leaf"]);
    expect([old.leaf, renewed].map(({ cert }) => authority.it.isOutdated(derOf(cert)))).toEqual([true, false]);
    expect(signs(old.bundle, authority.it.server.cert)).toBe(true);
    authority.it.retire();
    expect(countIn(authority.it.bundle)).toBe(1);
    expect(signs(old.bundle, authority.it.server.cert)).toBe(false);
    expect(signs(authority.it.bundle, authority.it.server.cert)).toBe(true);
    expect(authority.it.verify(derOf(renewed.cert))).toBe("leaf");
    expect(await refusal(authority.it, old.leaf.cert)).toMatchObject({ code: "auth.unauthenticated" });
  });

  test("M-70: goes on after a restart in the middle of it", async () => {
    const keep = new MemoryKeep();
    const clock = new VirtualClock();
    using first = await opened("root", clock, keep);
    const { bundle } = first.it;
    await first.it.rotate();
    using again = await opened("root", clock, keep);
    expect(signs(bundle, again.it.server.cert)).toBe(true);
    again.it.retire();
    expect(signs(again.it.bundle, again.it.server.cert)).toBe(true);
  });

  test("M-70: loses nothing when two changes, a renewal and a retirement come at once", async () => {
    using authority = await opened("root");
    await Promise.all([authority.it.rotate(), authority.it.renewServer(), authority.it.rotate()]);
    expect(countIn(authority.it.bundle)).toBe(3);
    const renewal = authority.it.renewServer();
    authority.it.retire();
    await renewal;
    expect(countIn(authority.it.bundle)).toBe(1);
    expect(signs(authority.it.bundle, authority.it.server.cert)).toBe(true);
  });

  test("names the authority in tokens by both keys while both are trusted", async () => {
    using authority = await opened("root");
    const before = authority.it.fingerprint;
    await authority.it.rotate();
    const during = authority.it.fingerprint.split(".");
    expect(during).toHaveLength(2);
    expect(during[1]).toBe(before);
    authority.it.retire();
    expect(authority.it.fingerprint).toBe(during[0]);
    expect(authority.it.fingerprint).toBe(fingerprintOf(authority.it.bundle));
  });

  test("retires nothing where there is nothing to retire, and tells nobody", async () => {
    using authority = await opened("root");
    let changes = 0;
    authority.it.onChange(() => changes++);
    authority.it.retire();
    expect([changes, countIn(authority.it.bundle)]).toEqual([0, 1]);
  });
});

function signs(authority: string, chain: string): boolean {
  return new X509Certificate(chain).verify(new X509Certificate(authority).publicKey);
}

async function opened(...parts: Parameters<typeof authorityOf>): Promise<Disposable & { readonly it: Authority }> {
  const it = await authorityOf(...parts);
  return { it, [Symbol.dispose]: () => it.close() };
}
