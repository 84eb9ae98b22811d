import { describe, expect, test } from "vitest";
import { connectors } from "../../src/index.ts";
import { actionOf } from "./graphs.ts";

describe("the list of connectors", () => {
  test("names each once, in the order of names", () => {
    const names = connectors.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].sort());
  });

  test.each(connectors.map((one) => [one.name, one] as const))(
    "describes the settings of %s, each with a type or a choice",
    (_name, one) => {
      expect(one.summary).toMatch(/^[A-Z].*\.$/);
      const { type, properties, additionalProperties } = one.schema as {
        type: string;
        properties: Record<string, unknown>;
        additionalProperties: boolean;
      };
      expect({ type, additionalProperties }).toEqual({ type: "object", additionalProperties: false });
      expect(Object.keys(properties).length).toBeGreaterThan(0);
    },
  );

  test.each([
    ["http.out", { url: "ftp://127.0.0.1" }, "with.url"],
    ["sqlite.write", { path: "a.db", table: "t", columns: {} }, "with.columns"],
    ["tcp.out", { port: 70_000 }, "with.port"],
    ["router.receive", { type: "a", answer: "never" }, "with.answer"],
    ["file.read", { path: "a", codec: "xml" }, "with.codec"],
    ["nats.write", {}, "with.subject"],
  ])("refuses wrong settings of %s by their path, before anything is opened", (action, given, path) => {
    const error = (() => {
      try {
        actionOf({ name: "node", action, with: given }, { log: {} as never, router: {} as never });
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    expect(error).toMatchObject({
      code: "stream.graph",
      details: { issues: expect.arrayContaining([expect.objectContaining({ path })]) },
    });
  });
});
