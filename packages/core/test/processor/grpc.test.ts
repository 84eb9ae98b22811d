import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixture, openTestHost } from "../fixtures/host.ts";
import { errorOf, until } from "../fixtures/until.ts";

describe("M-21 node and processor speak gRPC", () => {
  test("a generic gRPC client with the published proto serves as a processor", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "raw", command: [process.execPath, fixture("raw-grpc")] });
    const payload = { text: "schön", list: [1, null, true] };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => node.router.call({ type: "raw.echo", data: { ...payload, n } })),
    );
    expect(answers).toEqual(Array.from({ length: 50 }, (_, n) => ({ ...payload, n })));
  });

  test("a deadline reaches it as the time that is left, and its passing as a cancel", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "raw", command: [process.execPath, fixture("raw-grpc")] });
    expect(await errorOf(node.router.call({ type: "raw.quiet" }, { timeoutMs: 200 }))).toMatchObject({ code: "call.deadline" });
    const [seen] = await untilSeen(node);
    expect(seen?.timeoutMs).toBeGreaterThan(0);
    expect(seen?.timeoutMs).toBeLessThanOrEqual(200);
    expect(seen?.cancelled).toBe("deadline");
  });

  test("a caller's withdrawal reaches it as a cancel", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "raw", command: [process.execPath, fixture("raw-grpc")] });
    const caller = new AbortController();
    const call = node.router.call({ type: "raw.quiet" }, { signal: caller.signal });
    await until("the call is in the process", () => node.host.info("raw").processes[0]?.inFlight === 1);
    caller.abort(new Error("no longer wanted"));
    expect(await errorOf(call)).toMatchObject({ code: "call.cancelled" });
    expect((await untilSeen(node))[0]?.cancelled).toBe("cancelled");
  });

  test("a handler hears of its deadline and of a withdrawal through its signal", async () => {
    await using node = await openTestHost();
    const file = join(node.folder, "aborts");
    await node.host.add({ name: "faulty", file: fixture("faulty"), env: { FIXTURE_FILE: file } });
    await errorOf(node.router.call({ type: "faulty.until_aborted" }, { timeoutMs: 100 }));
    const caller = new AbortController();
    const call = node.router.call({ type: "faulty.until_aborted" }, { signal: caller.signal, timeoutMs: 60_000 });
    await until("the call is in the process", () => node.host.info("faulty").processes[0]?.inFlight === 1);
    caller.abort();
    await errorOf(call);
    const heard = await until("both handlers have heard", () => {
      const lines = readLines(file);
      return lines.length === 2 ? lines : undefined;
    });
    expect(heard.map(({ code }) => code)).toEqual(["call.deadline", "call.cancelled"]);
    expect(heard[0]?.timeLeftMs).toBeLessThanOrEqual(100);
    expect(heard[1]?.timeLeftMs).toBeGreaterThan(100);
  });
});

type Seen = { timeoutMs: number; cancelled?: string }[];

function untilSeen(node: Awaited<ReturnType<typeof openTestHost>>): Promise<Seen> {
  return until("the processor has seen the cancel", async () => {
    const seen = (await node.router.call({ type: "raw.seen" })) as Seen;
    return seen[0]?.cancelled === undefined ? undefined : seen;
  });
}

function readLines(file: string): { code: string; timeLeftMs: number }[] {
  try {
    const lines = readFileSync(file, "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as { code: string; timeLeftMs: number });
  } catch {
    return []; // not yet written
  }
}
