import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  asMetanodeError,
  codeOf,
  coreError,
  defineErrorCodes,
  errorRow,
  errorTable,
  fromWire,
  hasCode,
  MetanodeError,
  toWire,
  type WireError,
} from "../src/errors.ts";

/** As an error looks that a second copy of this package made: alike in everything but its class. */
class StrangerError extends Error {
  override name = "MetanodeError";
  readonly code = "log.full";
  readonly retryable = false;
  readonly retryAfterMs = 70;
  readonly details = { limit: 3 };
  readonly origin = ["p-1"];
}

describe("an error", () => {
  test("takes whether a retry helps from the row of its code", () => {
    expect(coreError("processor.down", "gone").retryable).toBe(true);
    expect(coreError("message.schema", "wrong").retryable).toBe(false);
  });

  test("may overrule its row", () => {
    expect(coreError("processor.failed", "busy", { retryable: true }).retryable).toBe(true);
  });

  test("carries its cause only where there is one", () => {
    expect("cause" in coreError("log.full", "full")).toBe(false);
    const cause = new Error("ENOSPC");
    expect(coreError("log.storage", "disk", { cause }).cause).toBe(cause);
  });

  test("is known by its code whatever its class", () => {
    expect(hasCode(new StrangerError("full"), "log.full")).toBe(true);
    expect(hasCode({ code: "log.full" }, "log.full")).toBe(true);
    expect(hasCode(coreError("log.full", "full"), "log.storage")).toBe(false);
  });

  test("has no code of ours if it comes from Node or from a stranger", () => {
    const foreign = [
      Object.assign(new Error("no"), { code: "ENOENT" }),
      { code: 5 },
      new Error("no"),
      "log.full",
      null,
      undefined,
    ];
    expect(foreign.map(codeOf)).toEqual(foreign.map(() => undefined));
  });
});

describe("a package's own codes", () => {
  test("join the one table and give their errors a row", () => {
    const row = { http: 418, grpc: 9, exit: 1, retryable: true, meaning: "The fixture is a teapot." };
    const before = errorTable().size;
    defineErrorCodes({ "fixture.teapot": row });
    defineErrorCodes({ "fixture.teapot": row });
    expect(errorTable().size).toBe(before + 1);
    expect(new MetanodeError("fixture.teapot", "short and stout").retryable).toBe(true);
  });
});

describe("an unknown code of a newer peer", () => {
  test("is treated as a defect, and keeps its name", () => {
    expect(errorRow("future.code")).toEqual(errorRow("core.internal"));
    const error = fromWire({ code: "future.code", message: "new", retryable: true });
    expect(error).toMatchObject({ code: "future.code", retryable: true });
  });
});

describe("an error on the wire", () => {
  test("is plain data that a structured clone and JSON leave as it is", () => {
    const cause = coreError("log.storage", "disk", { cause: new Error("ENOSPC") });
    const wire = toWire(coreError("processor.failed", "no", { cause, details: { id: 7 }, origin: ["p"], retryAfterMs: 5 }));
    expect(structuredClone(wire)).toEqual(wire);
    expect(JSON.parse(JSON.stringify(wire))).toEqual(wire);
  });

  test("comes out as the same error, with the hop that it passed at the end of its origin", () => {
    const error = coreError("processor.failed", "no", { details: { id: 7 }, origin: ["p-1"], retryAfterMs: 5, retryable: true });
    const arrived = fromWire(structuredClone(toWire(error)), "node-eu");
    expect(arrived).toBeInstanceOf(MetanodeError);
    expect(arrived).toMatchObject({
      code: "processor.failed",
      message: "no",
      details: { id: 7 },
      retryAfterMs: 5,
      retryable: true,
    });
    expect(arrived.origin).toEqual(["p-1", "node-eu"]);
    expect(arrived.stack).toBe(error.stack);
  });

  test("keeps the chain of causes, those of foreign errors under the fallback code", () => {
    const bottom = new Error("ENOSPC");
    const middle = new TypeError("cannot write", { cause: bottom });
    const wire = toWire(coreError("log.storage", "disk", { cause: middle }), "processor.failed");
    expect(wire).toMatchObject({
      code: "log.storage",
      cause: { code: "processor.failed", message: "cannot write", cause: { code: "processor.failed", message: "ENOSPC" } },
    });
    expect(wire.cause?.cause).not.toHaveProperty("cause");
  });

  test("keeps all that an error of a second copy of the package carries, its cause included", () => {
    const wire = toWire(new StrangerError("full", { cause: coreError("log.storage", "disk") }));
    expect(wire).toMatchObject({
      code: "log.full",
      message: "full",
      retryable: false,
      retryAfterMs: 70,
      details: { limit: 3 },
      origin: ["p-1"],
      cause: { code: "log.storage", message: "disk" },
    });
  });

  test("ends where causes go round in a circle", () => {
    const error = new Error("round");
    error.cause = error;
    let depth = 0;
    for (let wire: WireError | undefined = toWire(error); wire !== undefined; wire = wire.cause) depth += 1;
    expect(depth).toBe(6);
  });

  test.each([
    ["a string", "plain text", "plain text"],
    ["a number", 7, "7"],
    ["nothing", undefined, "undefined"],
    ["null", null, "null"],
    ["an error without a text", new RangeError(), "RangeError"],
  ])("says something even of %s that was thrown", (_, thrown, message) => {
    expect(toWire(thrown, "processor.failed")).toMatchObject({ code: "processor.failed", message });
  });

  test("survives any number of crossings", () => {
    fc.assert(
      fc.property(wireErrors, (wire) => {
        const once = toWire(fromWire(structuredClone(wire)));
        expect(once).toEqual(wire);
        expect(toWire(fromWire(JSON.parse(JSON.stringify(once)) as WireError))).toEqual(wire);
      }),
    );
  });
});

describe("making an error ours", () => {
  test("gives our own back untouched", () => {
    const error = coreError("log.full", "full");
    expect(asMetanodeError(error)).toBe(error);
  });

  test("wraps a foreign one once, as the cause, with its text and its stack", () => {
    const foreign = new TypeError("not a function");
    const error = asMetanodeError(foreign, "processor.failed");
    expect(error).toMatchObject({ code: "processor.failed", message: "not a function", stack: foreign.stack });
    expect(error.cause).toBe(foreign);
    expect(asMetanodeError(error)).toBe(error);
  });

  test("takes an error of a second copy of the package for what it is", () => {
    const cause = new Error("why");
    const stranger = new StrangerError("full", { cause });
    const error = asMetanodeError(stranger);
    expect(error).toBeInstanceOf(MetanodeError);
    expect(error).toMatchObject({ code: "log.full", retryable: false, retryAfterMs: 70, details: { limit: 3 }, origin: ["p-1"] });
    expect(error.cause).toBe(cause);
    expect(error.stack).toBe(stranger.stack);
  });
});

const leafErrors = fc.record(
  {
    code: fc.constantFrom(...errorTable().keys(), "future.code"),
    message: fc.string({ unit: "grapheme" }),
    retryable: fc.boolean(),
    retryAfterMs: fc.nat(),
    details: fc.dictionary(fc.string(), fc.jsonValue()),
    origin: fc.array(fc.string(), { minLength: 1 }),
    stack: fc.string({ minLength: 1 }),
  },
  { requiredKeys: ["code", "message", "retryable", "stack"] },
);

/** Up to six errors in a chain, as many as a wire carries. */
const wireErrors = fc.array(leafErrors, { minLength: 1, maxLength: 6 }).map((chain): WireError => {
  const whole = chain.reduceRight<object | undefined>(
    (cause, leaf) => (cause === undefined ? leaf : { ...leaf, cause }),
    undefined,
  );
  return JSON.parse(JSON.stringify(whole)) as WireError;
});
