import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { MessageDown } from "../../src/index.ts";
import {
  createPort,
  type MessagePortData,
  MessagePortError,
  MessagePortStart,
  MessagePortTerminate,
  MessagePortText,
  type PortOptions,
} from "../../src/port/index.ts";
import { until } from "../fixtures/until.ts";
import { code } from "../meta/recorder.ts";
import { inside, Probe, settle, stage } from "../probe.ts";
import { node, openPort, processesWith } from "./port-probe.ts";

/** Runs `sh` with a script; the mark stands in the command line of all that it starts. */
const sh = (script: string, mark = "", more: Partial<PortOptions> = {}): PortOptions => ({
  command: "sh",
  args: ["-c", script, mark],
  ...more,
});
let marks = 0;
const newMark = (): string => `port-test-${process.pid}-${marks++}`;

describe("a port in text mode", () => {
  test("sends its start, one text per line, one error per line of stderr, and its end last (91)", async () => {
    const { kernel, port, parent, over, got, errors } = openPort(sh("echo one; echo two; echo oops >&2; printf three; exit 7"));
    await over();
    expect(got()).toEqual([
      new MessagePortStart(port, ""),
      new MessagePortText(port, "", "one"),
      new MessagePortText(port, "", "two"),
      new MessagePortText(port, "", "three"),
      new MessagePortTerminate(port, "", 7, undefined),
    ]);
    expect(errors()).toEqual(["oops"]);
    expect(parent.got).toContainEqual(new MessagePortError(port, "", "oops"));
    await kernel.stop();
  });

  test("writes what it is sent as it is, in order, and says its tag", async () => {
    const { kernel, port, over, got, write, said } = openPort({ command: "cat", tag: "cat 1" });
    write("a");
    write("b\n");
    kernel.send(port, { data: Buffer.from("c\n") });
    await until("both lines are there", () => said().includes("c"));
    kernel.send(port, { end: true });
    await over();
    expect(said()).toEqual(["start", "ab", "c", "terminate"]);
    expect(new Set(got().map((message) => message.tag))).toEqual(new Set(["cat 1"]));
    expect(got().at(-1)).toMatchObject({ exitCode: 0, signal: undefined });
  });

  test("takes the end of stdin as input, so that a program which sorts can answer", async () => {
    const { kernel, port, over, said, write, reports } = openPort({ command: "sort", env: { LC_ALL: "C" } });
    for (const word of ["pear", "apple", "fig"]) write(`${word}\n`);
    kernel.send(port, { end: true });
    write("late\n");
    await over();
    expect(said()).toEqual(["start", "apple", "fig", "pear", "terminate"]);
    expect(reports).toMatchObject([{ kind: "unhandled" }]);
  });

  test("cuts at a delimiter of its options", async () => {
    const { over, said } = openPort(sh("printf 'a;b;c'", "", { stdout: { delimiter: ";" } }));
    await over();
    expect(said()).toEqual(["start", "a", "b", "c", "terminate"]);
  });

  test("ends with actor.too_large on a line of more than 64 KiB, and takes it where the limit is higher", async () => {
    const long = "head -c 70000 /dev/zero | tr '\\0' x; echo; sleep 1000";
    const { kernel, parent, port, said } = openPort(sh(long));
    parent.monitor(port);
    const end = await until("it is down", () => parent.got.find((message) => message instanceof MessageDown));
    expect(end).toMatchObject({ reason: code("actor.too_large") });
    expect(said().filter((text) => text.startsWith("x"))).toEqual([]);
    await until("the program is gone", () => kernel.metas().length === 0);
    const roomy = openPort(sh(long, "", { stdout: { maxBytes: 100_000 } }));
    await until("the line is there", () => roomy.said().some((text) => text.length === 70_000));
    await roomy.kernel.stop();
  });

  test("sends to the process of its options, and ends when that cannot be reached", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const worker = inside(kernel.spawn(Probe, { name: "worker" }));
    parent.spawnMeta(createPort({ ...sh("echo hi"), process: "worker" }));
    await until("the worker has it all", () => worker.got.length === 3);
    const lost = parent.spawnMeta(createPort({ ...sh("sleep 1000"), process: "nobody" }));
    parent.monitor(lost);
    await until("it is down", () => parent.got.length === 1);
    expect(parent.got).toMatchObject([{ reason: code("actor.process_unknown") }]);
    await until("it is gone", () => kernel.metas().length === 0);
  });

  test("answers no call, and reports mail that is no input", async () => {
    const staged = stage();
    const { kernel, port, reports } = openPort({ command: "cat" }, staged);
    kernel.send(port, "text" as never);
    const call = expect(kernel.call(port as never, 1)).rejects.toThrow(code("actor.timeout"));
    await staged.clock.advance(5_010);
    await call;
    expect(reports.map((report) => report.kind)).toEqual(["unhandled", "unhandled"]);
    await kernel.stop();
  });
});

describe("a port in binary mode", () => {
  test("sends what it reads as bytes, and takes text and bytes", async () => {
    const { kernel, port, said, got, over } = openPort({ command: "cat", binary: {} });
    kernel.send(port, { data: Uint8Array.of(0, 255, 10) });
    await until("the bytes are there", () => got().length === 2);
    expect((got()[1] as MessagePortData).data).toEqual(Buffer.from([0, 255, 10]));
    kernel.send(port, { text: "text" });
    await until("the text is there", () => said().includes("text"));
    kernel.send(port, { end: true });
    await over();
  });

  test("cuts stdout into chunks, however they are written, and stderr into lines (83)", async () => {
    const script = "printf abc; printf defg; printf hi; echo no >&2";
    const { said, over, errors } = openPort(sh(script, "", { binary: { chunk: { fixedLength: 4 } } }));
    await over();
    expect(said()).toEqual(["start", "abcd", "efgh", "terminate"]);
    expect(errors()).toEqual(["no"]);
  });

  test("ends with actor.too_large on a chunk above its limit, after the chunks before it (85)", async () => {
    const chunk = { headerSize: 1, headerLengthSize: 1, maxLength: 10 } as const;
    const { parent, port, said, kernel } = openPort(sh("printf '\\002ab\\377'; sleep 1000", "", { binary: { chunk } }));
    parent.monitor(port);
    await until("it is gone", () => kernel.metas().length === 0);
    await settle();
    expect(said().slice(0, 2)).toEqual(["start", "\u0002ab"]);
    expect(parent.got).toContainEqual(expect.objectContaining({ reason: code("actor.too_large") }));
  });

  test("writes its keep-alive bytes at once, then after each period in which nothing else was written", async () => {
    const staged = stage();
    const keepAlive = { bytes: Buffer.from("."), periodMs: 100 };
    const { kernel, said, write } = openPort({ command: "cat", binary: { keepAlive } }, staged);
    const all = (): string => said().slice(1).join("");
    await until("the first is there", () => all() === ".");
    await staged.clock.advance(100);
    await until("the second is there", () => all() === "..");
    await staged.clock.advance(60);
    write("x");
    await until("the text is there", () => all() === "..x");
    await staged.clock.advance(60);
    await staged.clock.advance(40);
    await until("the third is there", () => all() === "..x.");
    await kernel.stop();
    expect(staged.clock.pendingTimers).toBe(0);
  });

  test("brings a megabyte through unchanged", async () => {
    const { kernel, port, got, over } = openPort({ command: "cat", binary: {} });
    const sent = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, index) => index % 251));
    for (let at = 0; at < sent.length; at += 100_000) kernel.send(port, { data: sent.subarray(at, at + 100_000) });
    kernel.send(port, { end: true });
    await over();
    const parts = got().flatMap((message) => (message.kind === "data" ? [message.data] : []));
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  });
});

describe("the environment of a program", () => {
  const show = 'test -n "$PATH" && printf path; echo "|$SECRET_OF_NODE|$FROM_ACTOR|$FROM_OPTIONS"';
  const run = async (options: Partial<PortOptions>): Promise<string | undefined> => {
    process.env.SECRET_OF_NODE = "secret";
    const { kernel } = stage();
    const env = { from_actor: 1, from_options: "actor", an_object: {} };
    const parent = inside(kernel.spawn(Probe, { env }));
    parent.spawnMeta(createPort({ ...sh(show), ...options }));
    await until("it is over", () => parent.got.length === 3);
    delete process.env.SECRET_OF_NODE;
    return (parent.got[1] as MessagePortText).text;
  };

  test.each([
    ["what it needs of the node's, and no secrets, without an option", {}, "path|||"],
    ["all of the node's with osEnv", { osEnv: true }, "path|secret||"],
    ["that of the actor with parentEnv", { parentEnv: true }, "path||1|actor"],
    ["its own over the others", { parentEnv: true, env: { FROM_OPTIONS: "own" } }, "path||1|own"],
    ["less where its own says undefined", { osEnv: true, env: { SECRET_OF_NODE: undefined } }, "path|||"],
  ] as const)("has %s", async (_title, options, text) => {
    expect(await run(options)).toBe(text);
  });
});

describe("the options of a port", () => {
  test.each([
    [{ command: "" }],
    [{}],
    [{ command: "cat", cmd: "cat" }],
    [{ command: "cat", stopSignal: "SIGNOTHING" }],
    [{ command: "cat", killGraceMs: -1 }],
    [{ command: "cat", stdout: { maxBytes: 0 } }],
    [{ command: "cat", stderr: { delimiter: "" } }],
    [{ command: "cat", binary: { buffer: 1 } }],
    [{ command: "cat", binary: { chunk: { headerSize: 0 } } }],
    [{ command: "cat", binary: { keepAlive: { bytes: Uint8Array.of(1), periodMs: 0 } } }],
    [{ command: "cat", binary: { keepAlive: { bytes: new Uint8Array(0), periodMs: 1 } } }],
  ])("%j are refused with actor.incorrect before anything is launched (86)", (options) => {
    expect(() => createPort(options as never)).toThrow(code("actor.incorrect"));
  });
});

describe("the launch of a program", () => {
  test.each([
    ["that there is not", { command: "/no/such/program" }],
    ["in a folder that there is not", { command: "cat", cwd: "/no/such/folder" }],
    ["whose name cannot be one", { command: "c\0at" }],
  ])("%s ends the port with actor.start_failed, and sends nothing", async (_title, options) => {
    const { kernel, parent, port } = openPort(options);
    parent.monitor(port);
    await until("it is down", () => parent.got.length > 0);
    expect(parent.got).toMatchObject([{ kind: "alias", reason: code("actor.start_failed") }]);
    expect(kernel.metas()).toEqual([]);
  });
});

describe("the inspection of a port", () => {
  test("tells of the program, but not the values of its environment", async () => {
    const { kernel, port, got, over, write, said } = openPort({ command: "cat", args: ["-u"], tag: "t", env: { A: "hidden" } });
    const early = await kernel.inspect(port);
    expect(early).toMatchObject({ tag: "t", cmd: "cat", args: '["-u"]', binary: "false", "binary.read_chunk": "false" });
    expect(early.env).toMatch(/^A, .*PATH/);
    expect(JSON.stringify(early)).not.toContain("hidden");
    write("four\n");
    await until("it came back", () => said().includes("four"));
    const { pid, bytesIn, bytesOut, pwd } = await kernel.inspect(port);
    expect([bytesIn, bytesOut, pwd]).toEqual(["5", "5", process.cwd()]);
    expect(processesWith("cat")).toContain(Number(pid));
    kernel.exitMeta(port, "normal");
    await over();
    expect(got().at(-1)).toBeInstanceOf(MessagePortTerminate);
  });
});

describe("the end of a port", () => {
  test("is normal when the program has exited, whatever its exit code", async () => {
    const { kernel, parent, port, over, got } = openPort({ command: node, args: ["-e", "process.exit(3)"] });
    parent.monitor(port);
    await over();
    await until("it is down", () => parent.got.some((message) => message instanceof MessageDown));
    expect(parent.got).toContainEqual(expect.objectContaining({ kind: "alias", reason: "normal" }));
    expect(got().at(-1)).toMatchObject({ kind: "terminate", exitCode: 3 });
    await kernel.stop();
  });

  test("by an exit stops the program and all that it started, and tells the signal", async () => {
    const mark = newMark();
    const { kernel, port, over, got, said } = openPort(sh(`sh -c 'sleep 1000' ${mark} & echo up; wait`, mark));
    await until("it is up", () => said().includes("up") && processesWith(mark).length > 1);
    kernel.exitMeta(port, "shutdown");
    await over();
    expect(got().at(-1)).toMatchObject({ kind: "terminate", exitCode: undefined, signal: "SIGTERM" });
    await until("nobody is left", () => processesWith(mark).length === 0);
  });

  test("delivers what the program says on its way out", async () => {
    const script =
      "process.on('SIGINT', () => { console.log('bye'); process.exit(5) }); console.log('up'); setInterval(() => {}, 1e6)";
    const { kernel, port, over, said, got } = openPort({ command: node, args: ["-e", script], stopSignal: "SIGINT" });
    await until("it is up", () => said().includes("up"));
    kernel.exitMeta(port, "normal");
    await over();
    expect(said()).toEqual(["start", "up", "bye", "terminate"]);
    expect(got().at(-1)).toMatchObject({ exitCode: 5 });
  });

  test("kills a program that ignores the stop signal when the grace is over", async () => {
    const mark = newMark();
    const staged = stage();
    const stubborn = sh(
      `trap '' TERM; sh -c "trap '' TERM; while :; do sleep 0.05; done" ${mark} & echo up; while :; do sleep 0.05; done`,
      mark,
    );
    const { kernel, port, over, got, said } = openPort({ ...stubborn, killGraceMs: 3_000 }, staged);
    await until("it is up", () => said().includes("up") && processesWith(mark).length > 1);
    kernel.exitMeta(port, "normal");
    await staged.clock.advance(2_999);
    expect(processesWith(mark).length).toBeGreaterThan(1);
    await staged.clock.advance(1);
    await over();
    expect(got().at(-1)).toMatchObject({ kind: "terminate", signal: "SIGKILL" });
    await until("nobody is left", () => processesWith(mark).length === 0);
    expect(staged.clock.pendingTimers).toBe(0);
  });

  test("by a kill of its process does not wait for the grace", async () => {
    const mark = newMark();
    const { kernel, parent, said } = openPort(sh("trap '' TERM; echo up; while :; do sleep 0.05; done", mark), stage());
    await until("it is up", () => said().includes("up"));
    kernel.kill(parent.self);
    await until("nobody is left", () => processesWith(mark).length === 0 && kernel.metas().length === 0);
  });

  test("comes when the program closes its stdout, and one that goes on is stopped after a second", async () => {
    const staged = stage();
    const mark = newMark();
    const { kernel, over, said, got } = openPort(sh("echo up; exec >&- 2>&-; while :; do sleep 0.05; done", mark), staged);
    await until("it is up", () => said().includes("up") && staged.clock.pendingTimers === 1);
    // A shell that starts another program is there twice for a moment.
    expect(processesWith(mark)).not.toEqual([]);
    await staged.clock.advance(1_000);
    await over();
    expect(got().at(-1)).toMatchObject({ signal: "SIGTERM" });
    await until("nobody is left", () => processesWith(mark).length === 0);
    expect([staged.clock.pendingTimers, kernel.metas()]).toEqual([0, []]);
  });

  test("of its process in its init launches nothing", async () => {
    const mark = newMark();
    const { kernel } = stage();
    const fail = (probe: Probe): never => {
      probe.spawnMeta(createPort(sh("sleep 1000", mark)));
      throw new Error("no");
    };
    expect(() => kernel.spawn(Probe, { args: [fail] })).toThrow("no");
    await settle();
    expect([kernel.metas(), processesWith(mark)]).toEqual([[], []]);
  });

  test("leaves no program after a hundred ports, ended in all manners", async () => {
    const mark = newMark();
    const { kernel } = openPort(sh("exit 0", mark));
    const owners = [kernel.spawn(Probe), kernel.spawn(Probe)].map(inside) as [Probe, Probe];
    for (let i = 0; i < 100; i++) {
      const owner = owners[i % 2] as Probe;
      const port = owner.spawnMeta(createPort(sh(i % 3 === 0 ? "exit 1" : "echo up; sleep 1000", mark)));
      if (i % 5 === 0) kernel.exitMeta(port, "normal");
    }
    await until("they are up", () => owners.some((owner) => owner.got.length > 50));
    kernel.kill(owners[0].self);
    await kernel.stop();
    await until("nobody is left", () => processesWith(mark).length === 0);
    expect(kernel.metas()).toEqual([]);
    expect(process.listeners("exit").filter((listener) => listener.name === "killLive")).toEqual([]);
  });
});

describe("the end of the node", () => {
  test.each(["exit", "uncaught"])("by %s kills the programs of its ports", async (manner) => {
    const mark = newMark();
    const file = fileURLToPath(new URL("../fixtures/exit-with-port.ts", import.meta.url));
    const ended = spawnSync(node, [file, manner, mark], { encoding: "utf8" });
    expect(ended.status).toBe(manner === "exit" ? 3 : 1);
    expect(ended.stderr.includes("nobody catches this")).toBe(manner === "uncaught");
    await until("nobody is left", () => processesWith(mark).length === 0);
  });
});

describe("a program that closes its stdin", () => {
  test("ends the port with actor.io_failed at the next write, after all that it said", async () => {
    const staged = stage();
    const { kernel, parent, port, write, said } = openPort(sh("exec <&-; echo closed; while :; do sleep 0.05; done"), staged);
    parent.monitor(port);
    await until("it is closed", () => said().includes("closed"));
    write("anybody there?\n");
    await until("the write has failed", () => staged.clock.pendingTimers > 0);
    await staged.clock.advance(1_000);
    await until("it is gone", () => kernel.metas().length === 0);
    expect(said().slice(0, 2)).toEqual(["start", "closed"]);
    expect(parent.got).toContainEqual(expect.objectContaining({ kind: "alias", reason: code("actor.io_failed") }));
  });

  test("by exiting early loses none of its output", async () => {
    const { kernel, port, over, said } = openPort({ command: "head", args: ["-n", "1"] });
    kernel.send(port, { text: "first\n" });
    kernel.send(port, { text: `${"x".repeat(1_000_000)}\n` });
    await over();
    expect(said()).toEqual(["start", "first", "terminate"]);
  });
});

describe("a program that does not read its stdin", () => {
  test("holds up the handler only: its output flows on, and an exit ends the wait", async () => {
    const script = "process.stdin.pause(); setInterval(() => console.log('tick'), 5)";
    const { kernel, port, said, write, over } = openPort({ command: node, args: ["-e", script] });
    await until("it ticks", () => said().includes("tick"));
    for (let i = 0; i < 10; i++) write("x".repeat(1_000_000));
    await until("the handler waits", () => kernel.metaInfo(port).state === "running");
    const { length } = said();
    await until("it goes on ticking", () => said().length > length + 3);
    expect(kernel.metaInfo(port)).toMatchObject({ state: "running", mailbox: { main: expect.any(Number) } });
    expect(kernel.metaInfo(port).mailbox.main).toBeGreaterThan(5);
    kernel.exitMeta(port, "normal");
    await over();
    expect(said().at(-1)).toBe("terminate");
  });
});

describe("a process with a full mailbox", () => {
  test("ends the port of which it gets no more with actor.mailbox_full", async () => {
    const { kernel } = stage();
    const owner = inside(kernel.spawn(Probe));
    const reader = inside(kernel.spawn(Probe, { name: "reader", mailboxLimit: 3 }));
    reader.react = () => new Promise(() => undefined);
    const port = owner.spawnMeta(createPort({ command: "yes", process: "reader" }));
    owner.monitor(port);
    await until("it is down", () => owner.got.length === 1);
    expect(owner.got).toMatchObject([{ reason: code("actor.mailbox_full") }]);
    await until("the program is gone", () => kernel.metas().length === 0);
  });

  test("of which stderr gets no more goes on with the rest", async () => {
    const { kernel, reports } = stage();
    const owner = inside(kernel.spawn(Probe));
    const port = owner.spawnMeta(createPort(sh("head -c 200000 /dev/zero >&2; echo done; read line; echo $line", "", {})));
    kernel.send(port, { text: "on\n" });
    await until("it is over", () => kernel.metas().length === 0);
    await settle();
    expect(owner.got.map((message) => (message as MessagePortText).text)).toEqual([undefined, "done", "on", undefined]);
    expect(reports).toMatchObject([{ kind: "meta", error: code("actor.too_large") }]);
  });
});
