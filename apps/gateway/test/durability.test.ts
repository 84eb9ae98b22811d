import { writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { eventOf, tempFolder, WORKER } from "./harness.ts";
import { clientOf, startProgram } from "./program.ts";

/** Messages per batch, and batches that are accepted before the node is killed. */
const BATCH_SIZE = 50;
const BATCHES = 6;
const HEADERS = { "content-type": "application/cloudevents-batch+json" };

describe("a gateway that is killed with kill -9", () => {
  test("has forgotten nothing that it accepted: its next life handles it all, under the same ids", async () => {
    using folder = tempFolder();
    const processor = { name: "worker", file: WORKER, env: { NOTES: folder.file("notes") } };
    const args = ["--port", "0", "--log-level", "warn"];
    const accepted: string[] = [];
    {
      const held = { ...processor, env: { ...processor.env, HOLD: "1" } };
      await using first = startProgram(folder, args, { METANODE_PROCESSORS: JSON.stringify([held]) });
      await first.ready;
      const request = clientOf(folder);
      for (let batch = 0; batch < BATCHES; batch++) {
        const events = Array.from({ length: BATCH_SIZE }, (_, i) =>
          eventOf({ type: "test.note", id: `kept-${batch}-${i}`, data: { text: "kept" } }),
        );
        const response = await request("/messages?mode=send", { method: "POST", headers: HEADERS, body: JSON.stringify(events) });
        for (const item of (await response.json()) as { id: string; status: string }[])
          if (item.status === "ok") accepted.push(item.id);
      }
      first.child.kill("SIGKILL");
      expect(await first.exited).toBe("SIGKILL");
    }
    expect(accepted).toHaveLength(BATCH_SIZE * BATCHES);
    expect(handled(folder.lines("notes"))).toEqual([]); // all of them are outstanding
    await using second = startProgram(folder, args, { METANODE_PROCESSORS: JSON.stringify([processor]) });
    await second.ready;
    await vi.waitFor(() => expect(new Set(handled(folder.lines("notes")))).toEqual(new Set(accepted)), 20_000);
    await vi.waitFor(async () => {
      expect(await (await clientOf(folder)("/node")).json()).toMatchObject({ backlog: { "test.note": 0 }, deadLetters: 0 });
    }, 10_000);
  });

  test("hands a message that was being handled to a handler again, and still knows its id", async () => {
    using folder = tempFolder();
    writeFileSync(folder.file("metanode.yaml"), "listen: {port: 0}\nlog: {level: warn}\n");
    const processor = { name: "worker", file: WORKER, env: { NOTES: folder.file("notes") } };
    const event = JSON.stringify(eventOf({ type: "test.slow", id: "in-flight", data: { ms: 60_000, name: "in-flight" } }));
    const post = (): Promise<Response> =>
      clientOf(folder)("/messages?mode=send", {
        method: "POST",
        headers: { "content-type": "application/cloudevents+json" },
        body: event,
      });
    {
      await using first = startProgram(folder, [], { METANODE_PROCESSORS: JSON.stringify([processor]) });
      await first.ready;
      expect((await post()).status).toBe(202);
      await vi.waitFor(() => expect(folder.lines("notes")).toContain("begin in-flight"), 10_000);
      first.child.kill("SIGKILL");
      await first.exited;
    }
    await using second = startProgram(folder, [], { METANODE_PROCESSORS: JSON.stringify([processor]) });
    await second.ready;
    await vi.waitFor(() => expect(folder.lines("notes").filter((line) => line === "begin in-flight")).toHaveLength(2), 10_000);
    expect(await (await post()).json()).toMatchObject({ id: "in-flight", duplicate: true });
  });
});

function handled(lines: readonly string[]): string[] {
  return lines.filter((line) => / kept \d+$/.test(line)).map((line) => line.split(" ", 1)[0] ?? "");
}
