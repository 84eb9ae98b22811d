import { PassThrough, Readable, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { stdioConnectors } from "../../src/connector/stdio.ts";
import { functionAction } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { Keeper, runInARow, type TestNode } from "./graphs.ts";

/** The nodes on streams of the test's own. */
function onStreams(stdin: Readable, stdout: Writable, settings: object = {}): { read: TestNode; write: TestNode } {
  const [read, write] = stdioConnectors(() => ({ stdin, stdout }));
  if (read === undefined || write === undefined) throw new Error("two are expected");
  return {
    read: { does: read.make({ name: "read", with: { ...settings } }, {}) },
    write: { does: write.make({ name: "write", with: { ...settings } }, {}) },
  };
}

/** Takes what is written, one piece per turn. */
class SlowOutput extends Writable {
  readonly chunks: Buffer[] = [];

  constructor() {
    super({ highWaterMark: 16 });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(chunk);
    setImmediate(done);
  }
}

describe("stdin", () => {
  test("is read line by line, whatever pieces it comes in, and its end completes the graph", async () => {
    const kept = new Keeper();
    const stdin = Readable.from([Buffer.from("one\ntw"), Buffer.from("o\nthree")]);
    const run = await runInARow({ read: onStreams(stdin, new SlowOutput()).read, keep: kept.node });
    expect((await run.ended).outcome).toBe("completed");
    expect(kept.records).toEqual(["one", "two", "three"]);
  });

  test("is left open for others when the graph is stopped", async () => {
    const kept = new Keeper();
    const stdin = new PassThrough();
    stdin.write("one\n");
    const run = await runInARow({ read: onStreams(stdin, new SlowOutput()).read, keep: kept.node });
    await kept.has(1);
    expect((await run.drain()).outcome).toBe("stopped");
    expect(stdin.destroyed).toBe(false);
  });

  test("fails the run where it is not of the codec", async () => {
    const stdin = Readable.from([Buffer.from("ffffffff", "hex")]);
    const { read } = onStreams(stdin, new SlowOutput(), { codec: "frames" });
    const run = await runInARow({ read, keep: new Keeper().node });
    expect(await run.ended).toMatchObject({ outcome: "failed", error: { code: "stream.record_too_large" } });
  });

  test("gives records ids that no other run gives, because what comes next is not what came before", async () => {
    const kept = new Keeper();
    for (const epoch of [1, 2]) {
      const { read } = onStreams(Readable.from([Buffer.from("same\n")]), new SlowOutput());
      await (await runInARow({ read, keep: kept.node }, { epoch })).ended;
    }
    expect(kept.ids).toEqual(["read@1:0", "read@2:0"]);
  });
});

describe("stdout", () => {
  test("gets every record, however slowly it takes them", async () => {
    const stdout = new SlowOutput();
    const numbers = { does: functionAction((number: number) => number) };
    const run = await runInARow({
      numbers: { action: "generate", with: { count: 5_000 } },
      same: numbers,
      write: onStreams(new PassThrough(), stdout).write,
    });
    expect((await run.ended).outcome).toBe("completed");
    const lines = Buffer.concat(stdout.chunks).toString().trimEnd().split("\n");
    expect(lines).toEqual(range(5_000).map(String));
  });

  test("that is closed gives its records up, and does not wait for ever", async () => {
    const stdout = new SlowOutput();
    stdout.destroy();
    const run = await runInARow(
      {
        numbers: { action: "generate", with: { count: 1 } },
        write: onStreams(new PassThrough(), stdout).write,
      },
      { onDeadLetter: async () => undefined },
    );
    expect((await run.ended).outcome).toBe("completed");
    expect(run.status().nodes.find(({ name }) => name === "write")?.counts).toMatchObject({ deadLetters: 1 });
  });
});
