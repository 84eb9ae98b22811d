import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { start, startNode, type TestNode, until } from "./helpers.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

describe("metanode call", () => {
  test("prints a text as it is and other JSON indented", async () => {
    expect(await node.metanode(["call", "text.upper", '{"text":"tea"}'])).toMatchObject({
      status: 0,
      stdout: "TEA\n",
      stderr: "",
    });
    expect((await node.metanode(["call", "text.echo", '{"a":[1]}'])).stdout).toBe('{\n  "a": [\n    1\n  ]\n}\n');
  });

  test("prints JSON and YAML where they are asked for", async () => {
    expect(JSON.parse((await node.metanode(["call", "text.upper", '{"text":"tea"}', "-o", "json"])).stdout)).toBe("TEA");
    expect(parse((await node.metanode(["-o", "yaml", "call", "text.echo", '{"a":1}'])).stdout)).toEqual({ a: 1 });
  });

  test("prints nothing for no answer, and null as JSON", async () => {
    expect(await node.metanode(["call", "text.nothing"])).toMatchObject({ status: 0, stdout: "" });
    expect((await node.metanode(["call", "text.nothing", "-o", "json"])).stdout).toBe("null\n");
  });

  test("takes data from a file and from standard input", async () => {
    writeFileSync(join(node.folder, "data.json"), '{"text":"from a file"}');
    expect((await node.metanode(["call", "text.upper", "@data.json"])).stdout).toBe("FROM A FILE\n");
    expect((await node.metanode(["call", "text.upper", "-"], { stdin: '{"text":"from a pipe"}' })).stdout).toBe("FROM A PIPE\n");
  });

  test("carries bytes both ways unharmed", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const answer = await node.metanode(["call", "text.bytes", "-", "--content-type", "application/octet-stream"], {
      stdin: bytes,
    });
    expect(answer.bytes).toEqual(Buffer.from(bytes.toReversed()));
  });

  test("puts the envelope's options on the message", async () => {
    const options = ["--id", "m-1", "--source", "/till/3", "--subject", "customer 7", "--key", "k-1", "--type-version", "1"];
    const { stdout } = await node.metanode([
      "call",
      "text.envelope",
      '"x"',
      "--content-type",
      "application/json",
      "-o",
      "json",
      ...options,
    ]);
    expect(JSON.parse(stdout)).toEqual({
      id: "m-1",
      source: "/till/3",
      subject: "customer 7",
      idempotencykey: "k-1",
      typeversion: "1",
      datacontenttype: "application/json",
    });
  });

  test("prints the items of a streamed answer one per line", async () => {
    const args = ["call", "text.count", '{"n":3}', "--stream"];
    expect(await node.metanode(args)).toMatchObject({ status: 0, stdout: "1\n2\n3\n" });
    const documents = parseAllDocuments((await node.metanode([...args, "-o", "yaml"])).stdout);
    expect(documents.map((document) => (document as { toJS(): unknown }).toJS())).toEqual([1, 2, 3]);
  });

  test("prints the items before an error, and then the error", async () => {
    const outcome = await node.metanode(["call", "text.count", '{"n":9,"failAfter":2}', "--stream"]);
    expect(outcome).toMatchObject({ status: 1, stdout: "1\n2\n" });
    expect(outcome.stderr).toMatch(/^error processor\.failed: .*out of numbers\n$/);
  });

  test("ends with status 7 at the timeout", async () => {
    const outcome = await node.metanode(["call", "text.never", "--timeout", "200ms"]);
    expect(outcome).toMatchObject({ status: 7, stdout: "" });
    expect(outcome.stderr).toMatch(/^error call\.deadline: /);
  });

  test("ends with status 3 for a type that nobody handles", async () => {
    expect(await node.metanode(["call", "text.nope"])).toMatchObject({ status: 3, stdout: "" });
  });

  test("ends with status 2 for data that does not fit the schema, and says where", async () => {
    const outcome = await node.metanode(["call", "text.upper", '{"text":7}', "-o", "json"]);
    expect(outcome.status).toBe(2);
    expect(JSON.parse(outcome.stderr)).toMatchObject({
      code: "message.schema",
      status: 422,
      details: { path: expect.stringContaining("text") },
    });
  });

  test.each([
    ["data that is no JSON", ["call", "text.echo", "tea"], /^error usage\.invalid: the data "tea" is no JSON/],
    [
      "a file that is missing",
      ["call", "text.echo", "@missing.json"],
      /^error usage\.invalid: the file missing\.json cannot be read/,
    ],
    ["a duration without a unit", ["call", "text.echo", "--timeout", "5"], /^error usage\.invalid: .*"5" is no duration/],
    ["a type that cannot be one", ["call", "a b"], /^error message\.invalid: type is "a b"/],
    ["no type", ["call"], /^error usage\.invalid: missing required argument 'type'/],
  ])("refuses %s with status 2 and one line", async (_what, args, expected) => {
    const { status, stdout, stderr } = await node.metanode(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(expected);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("withdraws the call when it is interrupted", async () => {
    const child = start(["call", "text.never"], { cwd: node.folder });
    const inFlight = async (): Promise<number> => {
      const { processors } = JSON.parse((await node.metanode(["status", "-o", "json"])).stdout);
      return processors[0].inFlight;
    };
    await until(async () => (await inFlight()) === 1);
    child.kill("SIGINT");
    await until(async () => (await inFlight()) === 0);
  });
});

describe("metanode send", () => {
  test("says the id and the place in the log once a message is accepted", async () => {
    const { status, stdout } = await node.metanode(["send", "text.echo", '"a"', "--id", "s-1", "-o", "json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ id: "s-1", sequence: expect.any(Number), duplicate: false });
  });

  test("knows a repeated intention by its key", async () => {
    const args = ["send", "text.echo", '"a"', "--key", "order-7", "-o", "json"];
    const first = JSON.parse((await node.metanode(args)).stdout);
    const second = JSON.parse((await node.metanode(args)).stdout);
    expect(second).toMatchObject({ sequence: first.sequence, duplicate: true });
  });

  test("hands a message over at most once with --cast", async () => {
    const outcome = await node.metanode(["send", "text.say", '"a cast"', "--cast", "-o", "json"]);
    expect(JSON.parse(outcome.stdout)).toEqual({ id: expect.any(String) });
    await until(async () => (await node.metanode(["processor", "logs", "text"])).stdout.includes("said a cast"));
  });

  test("sends one message per line of standard input with --ndjson", async () => {
    const lines = Array.from({ length: 600 }, (_, index) => JSON.stringify({ index }));
    const outcome = await node.metanode(["send", "text.echo", "--ndjson", "-o", "json"], { stdin: `${lines.join("\n")}\n` });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(outcome.stdout)).toEqual({ sent: 600, duplicates: 0, failed: 0 });
  });

  test("names the lines that failed, sends the others, and ends with status 8", async () => {
    const stdin = '{"text":"a"}\n{"text":7}\n\nnonsense\n{"text":"b"}\n';
    const outcome = await node.metanode(["send", "text.upper", "--ndjson", "-o", "json"], { stdin });
    expect(outcome.status).toBe(8);
    expect(JSON.parse(outcome.stdout)).toEqual({ sent: 2, duplicates: 0, failed: 2 });
    expect(outcome.stderr).toMatch(/^error message\.schema: line 2: /m);
    expect(outcome.stderr).toMatch(/^error usage\.invalid: line 4: /m);
  });

  test("ends with the status of the first failure when nothing could be sent", async () => {
    const outcome = await node.metanode(["send", "text.nope", "--ndjson"], { stdin: "1\n2\n" });
    expect(outcome.status).toBe(3);
  });

  test("refuses an id for many messages", async () => {
    expect(await node.metanode(["send", "text.echo", "--ndjson", "--id", "x"])).toMatchObject({ status: 2 });
  });
});

describe("metanode types", () => {
  test("lists what can be sent, with a line on the data", async () => {
    const { status, stdout } = await node.metanode(["types"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^text\.upper +1 +text +- +text: string +in capital letters$/m);
    expect(stdout).toMatch(/^text\.count +1 +text +streamed/m);
  });

  test("shows one type with its schema", async () => {
    const { items } = JSON.parse((await node.metanode(["types", "text.upper", "-o", "json"])).stdout);
    expect(items).toMatchObject([{ type: "text.upper", inputSchema: { required: ["text"] } }]);
    expect((await node.metanode(["types", "text.upper"])).stdout).toContain('"required"');
  });

  test("names the nearest type for a misspelt one", async () => {
    const outcome = await node.metanode(["types", "text.uper"]);
    expect(outcome.status).toBe(3);
    expect(outcome.stderr).toContain("did you mean text.upper?");
  });
});
