import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createNode, processors } from "@metanode/core";
import { checkProcessor } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";

const main = fileURLToPath(new URL("../main.py", import.meta.url));
const probe = spawnSync("python3", ["-c", "import grpc, grpc_tools"], { encoding: "utf8" });
const isMissing = probe.status !== 0;
const name = isMissing
  ? "a processor in Python (skipped: python3 with grpcio and grpcio-tools is not here; pip install -r requirements.txt)"
  : "a processor in Python";

describe.skipIf(isMissing)(name, () => {
  test("passes the whole conformance kit (M-13)", async () => {
    const report = await checkProcessor({
      command: ["python3", main],
      full: true,
      samples: [
        { type: "text.stats", data: { text: "two words\n" }, expect: { characters: 10, words: 2, lines: 1, longest: 5 } },
        { type: "text.stats", data: { text: "茶 🌍" }, expect: { characters: 3, words: 2, lines: 1, longest: 1 } },
      ],
    });
    expect(report.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(report.passed).toBeGreaterThan(15);
  });

  test("serves its types under a node, which refuses what does not fit their schema", async () => {
    await using node = await createNode({
      modules: [processors([{ name: "python", command: ["python3", main], processes: 2 }])],
    });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => node.call({ type: "text.stats", data: { text: "word ".repeat(n) } })),
    );
    expect(answers.map((answer) => (answer as { words: number }).words)).toEqual(Array.from({ length: 200 }, (_, n) => n));
    await expect(node.call({ type: "text.stats", data: { text: 7 } })).rejects.toMatchObject({
      code: "message.schema",
      details: { path: "/text" },
    });
    const items: unknown[] = [];
    for await (const item of node.stream({ type: "conformance.count", data: { n: 100 } })) items.push(item);
    expect(items).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    const inner = { type: "text.stats", data: { text: "through the node" } };
    expect(await node.call({ type: "conformance.call", data: inner })).toMatchObject({ words: 3 });
  });
});
