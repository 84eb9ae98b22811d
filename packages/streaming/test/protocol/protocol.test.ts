import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type ActionRecord, serveAction } from "../../src/protocol/author.ts";
import { decodeProgram, encodeEngine, encodeProgram, FrameReader, type ProgramFrame } from "../../src/protocol/frames.ts";
import { thrownBy } from "../graph/thrown.ts";
import { openPrograms, runPrograms, script } from "../program/tools.ts";
import { range } from "../run/counting.ts";

const numbers = range(300).map(String);
const author = new URL("../../src/protocol/author.ts", import.meta.url).href;
const library = new URL("../../actionlib/python", import.meta.url).pathname;
const hasPython = spawnSync("python3", ["--version"]).status === 0;

/** A program in TypeScript that answers with `body`, which sees \`record\`. */
const action = (body: string, options = "{}"): string[] => [
  process.execPath,
  "--input-type=module",
  "-e",
  `import { serveAction } from ${JSON.stringify(author)}; await serveAction(async (record) => { ${body} }, ${options});`,
];
const python = (body: string): string[] => [
  "python3",
  "-u",
  "-c",
  `import sys; sys.path.insert(0, ${JSON.stringify(library)})\n${body}`,
];

describe("the bytes of the protocol", () => {
  test("are what its page says", () => {
    const page = readFileSync(new URL("../../../../docs/stream-protocol.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| .+ \| `([0-9a-f ]+)` \|$/gm)].map(([, hex = ""]) => hex.replaceAll(" ", ""));
    const frames = [
      encodeEngine({ kind: "record", sequence: 7, data: Buffer.from("Hi") }),
      encodeProgram({ kind: "output", sequence: 7, data: Buffer.from("HI") }),
      encodeProgram({ kind: "ack", sequence: 7 }),
      encodeProgram({ kind: "nack", sequence: 7, canRetry: false, reason: "no" }),
      encodeProgram({ kind: "source", position: "12", data: Buffer.from("x") }),
      encodeEngine({ kind: "end" }),
    ];
    expect(frames.map((frame) => frame.toString("hex"))).toEqual(rows);
  });

  test("are found wherever they are cut", () => {
    const frames: ProgramFrame[] = [
      { kind: "hello", hello: { protocol: "metanode", version: 1 } },
      { kind: "ack", sequence: 2 ** 40 },
      { kind: "nack", sequence: 1, canRetry: true, reason: "später" },
      { kind: "source", position: "", data: Buffer.from("x") },
      { kind: "heartbeat" },
      { kind: "end" },
    ];
    const bytes = Buffer.concat(frames.map(encodeProgram));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new FrameReader(decodeProgram, 1_000);
      expect([...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))]).toEqual(frames);
    }
  });

  test("are found in chunks of any size, one byte at a time too", () => {
    const frames: ProgramFrame[] = [
      { kind: "output", sequence: 1, data: Buffer.alloc(1_000, "x") },
      { kind: "ack", sequence: 1 },
    ];
    const bytes = Buffer.concat(frames.map(encodeProgram));
    for (const size of [1, 3, 4, 5, 1_013, 1_014]) {
      const reader = new FrameReader(decodeProgram, 2_000);
      const found: ProgramFrame[] = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)));
      expect(found).toEqual(frames);
    }
  });

  test.each(["ffffffff", "00000000", "0000000109", "000000020101", "0000000206ff"])("%s is refused", (hex) => {
    const { code } = thrownBy(() => new FrameReader(decodeProgram, 1_000).push(Buffer.from(hex, "hex")));
    expect(code).toMatch(/^stream\.(codec|record_too_large)$/);
  });
});

describe("a program that says what came of each input", () => {
  test("answers with any number of outputs, in any order of inputs", async () => {
    const body = `
      const number = Number(record.text);
      await new Promise((resolve) => setTimeout(resolve, number % 3));
      return number % 3 === 0 ? [] : number % 3 === 1 ? [number] : [number, { twice: number * 2 }];
    `;
    const { end, seen, run } = await runPrograms(numbers, { stage: { command: action(body), codec: "metanode" } });
    expect(end.outcome).toBe("completed");
    const expected = range(300).flatMap((n) => (n % 3 === 0 ? [] : n % 3 === 1 ? [`${n}`] : [`${n}`, `{"twice":${n * 2}}`]));
    expect(seen.toSorted()).toEqual(expected.toSorted());
    expect(run.status().nodes.find(({ name }) => name === "stage")?.counts).toEqual({ filtered: 100 });
  });

  test("may refuse an input for good, or let it come again", async () => {
    const body = `
      globalThis.tries ??= 0;
      if (record.text === "5") throw Object.assign(new Error("never"), { retry: false });
      if (record.text === "7" && ++globalThis.tries < 3) throw new Error("not yet");
      return [record.text];
    `;
    const stage = { command: action(body), codec: "metanode" as const, attempts: 5, backoffMs: [0] };
    const { seen, letters } = await runPrograms(numbers.slice(0, 10), { stage });
    expect(letters).toMatchObject([{ record: "5", attempts: 1, error: { message: "never" } }]);
    expect(seen.toSorted()).toEqual(numbers.slice(0, 10).filter((text) => text !== "5"));
  });

  test("that dies is started again, nothing is lost or doubled, and the input on which it dies is found", async () => {
    const body = `if (record.text === "50") process.exit(3); return [record.text];`;
    const stage = { command: action(body), codec: "metanode" as const, attempts: 2, backoffMs: [0] };
    const { end, seen, letters } = await runPrograms(numbers.slice(0, 100), { stage });
    expect(end.outcome).toBe("completed");
    expect(letters).toMatchObject([{ record: "50", attempts: 2 }]);
    expect(seen.toSorted()).toEqual(
      numbers
        .slice(0, 100)
        .filter((text) => text !== "50")
        .toSorted(),
    );
  }, 15_000);

  test("that hangs on an input is ended, and that input is blamed", async () => {
    const body = `if (record.text === "3") await new Promise(() => setInterval(() => {}, 1000)); return [record.text];`;
    const stage = { command: action(body), codec: "metanode" as const, attempts: 1, timeoutMs: 700, backoffMs: [0] };
    const { seen, letters } = await runPrograms(numbers.slice(0, 6), { stage });
    expect(letters).toMatchObject([{ record: "3", error: { code: "stream.record_timeout" } }]);
    expect(seen.toSorted()).toEqual(["0", "1", "2", "4", "5"]);
  }, 15_000);

  /** A program that greets in its own way and acknowledges whatever comes, with its bytes as the output. */
  const greeting = (hello: object): string[] =>
    script(`
      const say = (kind, ...parts) => {
        const body = Buffer.concat([Buffer.from([kind]), ...parts]);
        const length = Buffer.alloc(4);
        length.writeUInt32BE(body.length);
        process.stdout.write(Buffer.concat([length, body]));
      };
      say(1, Buffer.from(${JSON.stringify(JSON.stringify(hello))}));
      let rest = Buffer.alloc(0);
      process.stdin.on("data", (chunk) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
          const frame = rest.subarray(4, 4 + rest.readUInt32BE(0));
          rest = rest.subarray(4 + frame.length);
          if (frame[0] === 2) { say(2, frame.subarray(1)); say(3, frame.subarray(1, 9)); }
        }
      });
    `);

  test("is spoken to in the lower version, when it knows a higher one", async () => {
    const command = greeting({ protocol: "metanode", version: 7 });
    const { end, seen } = await runPrograms(["a", "b"], { stage: { command, codec: "metanode" } });
    expect(end.outcome).toBe("completed");
    expect(seen).toEqual(["a", "b"]);
  });

  test.each([0, -1, 1.5, "many"])("whose window is %j is refused, and what was found is said", async (window) => {
    const command = greeting({ protocol: "metanode", version: 1, window });
    const stage = { command, codec: "metanode" as const, attempts: 1, backoffMs: [0] };
    const { letters } = await runPrograms(["a"], { stage });
    const message = expect.stringContaining(`window ${JSON.stringify(window)}`);
    expect(letters).toMatchObject([{ record: "a", error: { code: "stream.codec", message } }]);
  });

  test("gives on a text or bytes as one output, and may say that it is still at work", async () => {
    const given = [
      encodeEngine({ kind: "record", sequence: 0, data: Buffer.from("text") }),
      encodeEngine({ kind: "record", sequence: 1, data: Buffer.from("bytes") }),
    ];
    const written: Uint8Array[] = [];
    const input = (async function* () {
      yield* given;
    })();
    const handle = async (record: ActionRecord) => {
      record.heartbeat();
      return record.text === "text" ? record.text : record.data;
    };
    await serveAction(handle, { input, output: { write: (bytes) => written.push(bytes) } });
    const [, ...frames] = new FrameReader(decodeProgram, 1_000).push(Buffer.concat(written));
    expect(frames.filter(({ kind }) => kind === "heartbeat")).toHaveLength(2);
    expect(frames.filter(({ kind }) => kind === "output")).toEqual([
      { kind: "output", sequence: 0, data: Buffer.from("text") },
      { kind: "output", sequence: 1, data: Buffer.from("bytes") },
    ]);
  });

  test("that speaks something else ends the run with what was found", async () => {
    const stage = {
      command: script("process.stdout.write('hello, world, this is text')"),
      codec: "metanode" as const,
      backoffMs: [0],
    };
    const { end, letters } = await runPrograms(["a"], { stage });
    expect(end.outcome).toBe("completed");
    expect(letters).toMatchObject([{ record: "a", error: { code: expect.stringMatching(/^stream\./) } }]);
  });

  test.skipIf(!hasPython)("may be written in Python (skipped where python3 is not on the PATH)", async () => {
    const code = `
from metanode_action import Refused, serve_action
def handle(data):
    if data == b"5":
        raise Refused("not that one")
    if data == b"4":
        return {"four": 4}
    if data == b"6":
        return data
    return [data + b"!", {"n": int(data)}] if int(data) % 2 else None
serve_action(handle, window=64)`;
    const { end, seen, letters } = await runPrograms(numbers.slice(0, 10), {
      stage: { command: python(code), codec: "metanode" },
    });
    expect(end.outcome).toBe("completed");
    const odd = ["1", "3", "7", "9"].flatMap((n) => [`${n}!`, `{"n": ${n}}`]);
    expect(seen.toSorted()).toEqual([...odd, '{"four": 4}', "6"].toSorted());
    expect(letters).toMatchObject([{ record: "5", error: { message: "not that one" } }]);
  });
});

describe("a source that is told where to go on", () => {
  test.skipIf(!hasPython)(
    "gives each record with a position, hears what is stored, and begins behind it (skipped without python3)",
    async () => {
      const { compileGraph, functionAction, GraphRun, MemoryProgress, programAction } = await import("../../src/index.ts");
      const code = `
from metanode_action import serve_source
def read(position):
    for n in range(int(position or 0), 1000):
        yield str(n), n + 1
serve_source(read, lambda position: print("stored", position, file=sys.stderr, flush=True))`;
      const nodes = [{ name: "numbers", command: python(code), codec: "metanode" as const }, { name: "keep" }];
      const { graph } = compileGraph({ name: "source", nodes, expression: "numbers; keep" });
      const progress = new MemoryProgress();
      const seen: number[] = [];
      const log: string[] = [];
      const run = async (limit: number) => {
        const stopping = Promise.withResolvers<void>();
        const keep = functionAction(async (record: Uint8Array) => {
          if (seen.push(Number(Buffer.from(record))) === limit) stopping.resolve();
        });
        const actions = new Map(graph.nodes.map((node) => [node.name, node.name === "keep" ? keep : programAction(node)]));
        const running = await GraphRun.open({
          graph,
          actions,
          folder: ".",
          progress,
          commitMs: 1,
          onLog: ({ text }) => log.push(text),
        });
        void stopping.promise.then(() => running.drain());
        return running.ended;
      };
      expect((await run(100)).outcome).toBe("stopped");
      expect((await run(Number.POSITIVE_INFINITY)).outcome).toBe("completed");
      expect(new Set(seen).size).toBe(1_000);
      expect(seen.length).toBe(1_000); // a drain loses nothing and repeats nothing
      expect(log.some((line) => line.startsWith("stored "))).toBe(true);
    },
  );
});

test("programs of both kinds can stand in one row", async () => {
  const { run } = await openPrograms(numbers, {
    grep: { command: "grep 7" },
    stage: { command: action("return [record.text + '!']"), codec: "metanode" },
  });
  expect((await run.ended).outcome).toBe("completed");
  expect(run.status().nodes.find(({ name }) => name === "stage")?.out).toBe(numbers.filter((text) => text.includes("7")).length);
});
