import { describe, expect, test } from "vitest";
import { Actor, createKernel, type Kernel, type LogRecord, MetaBehaviour, type MetaProcess, type PID } from "../../src/index.ts";
import { inside, Probe, settle, stage } from "../probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** A logger that keeps what it gets. */
function listen(kernel: Kernel, name: string, levels?: LogRecord["level"][]): LogRecord[] {
  const got: LogRecord[] = [];
  kernel.log.addLogger(name, (record) => got.push(record), levels === undefined ? {} : { levels });
  return got;
}

const texts = (records: readonly LogRecord[]): string[] => records.map(({ text }) => text);

/** A meta-process that does nothing but hand out its handle. */
class Idle extends MetaBehaviour<string> {
  meta!: MetaProcess;
  override init(meta: MetaProcess): void {
    this.meta = meta;
  }
  override start(meta: MetaProcess): Promise<void> {
    return new Promise((resolve) => meta.signal.addEventListener("abort", () => resolve()));
  }
  override terminate(): void {
    // The signal has ended start.
  }
}

/** An actor that keeps the records that it gets as a logger. */
class Scribe extends Actor<unknown> {
  static readonly got: unknown[] = [];
  override handleMessage(_from: PID, message: unknown): void {
    if (typeof message === "function") message(this);
    else Scribe.got.push(message);
  }
  override handleLog(record: LogRecord): undefined | "normal" {
    Scribe.got.push(record.text);
    return record.text === "stop" ? "normal" : undefined;
  }
}

/** An actor that handles nothing. */
class Plain extends Actor<string> {}

describe("a record", () => {
  test("is data: time, level, source, text, fields, and an error if one was given", () => {
    const { kernel, clock } = stage();
    const got = listen(kernel, "all");
    const pid = kernel.spawn(Probe, { name: "shop" });
    const meta = new Idle();
    const alias = inside(pid).spawnMeta(meta);
    const error = new Error("no");
    kernel.log.info("from the kernel");
    inside(pid).log.warning("from a process", { order: 7, error });
    meta.meta.log.error("from a meta-process");
    const timeMs = clock.now();
    expect(got).toEqual([
      { timeMs, level: "info", source: { kind: "kernel", node: "test@here" }, text: "from the kernel", fields: {} },
      {
        timeMs,
        level: "warning",
        source: { kind: "process", pid, name: "shop", behaviour: "Probe" },
        text: "from a process",
        fields: { order: 7 },
        error,
      },
      {
        timeMs,
        level: "error",
        source: { kind: "meta", parent: pid, alias, behaviour: "Idle" },
        text: "from a meta-process",
        fields: {},
      },
    ]);
  });

  test("carries the fields of the log that wrote it, and its own over them", () => {
    const { kernel } = stage();
    const got = listen(kernel, "all");
    const request = kernel.log.with({ request: 1, user: "a" });
    request.with({ step: 2 }).info("x", { user: "b" });
    request.info("y");
    kernel.log.info("z");
    expect(got.map(({ fields }) => fields)).toEqual([{ request: 1, user: "b", step: 2 }, { request: 1, user: "a" }, {}]);
  });

  test("of the kernel itself says what it reports, through the same loggers as everything else", async () => {
    const { kernel, reports } = stage();
    const got = listen(kernel, "all");
    const pid = kernel.spawn(Plain, { name: "plain" });
    kernel.send(pid, "nobody handles this");
    await settle();
    kernel.send(kernel.spawn(Probe), () => {
      throw new Error("broken");
    });
    await settle();
    expect(got).toMatchObject([
      { level: "warning", report: "unhandled", source: { pid, name: "plain" } },
      { level: "panic", report: "ended", source: { behaviour: "Probe" }, error: { code: "actor.panic" } },
    ]);
    expect(reports.map(({ kind }) => kind)).toEqual(["unhandled", "ended"]);
  });
});

describe("a level", () => {
  test("keeps out what is below it, and disabled everything", () => {
    const { kernel } = stage();
    const got = listen(kernel, "all");
    for (const level of ["warning", "disabled", "debug"] as const) {
      kernel.log.setLevel(level);
      for (const at of ["trace", "debug", "info", "warning", "error", "panic"] as const) kernel.log[at](`${level} ${at}`);
    }
    expect(texts(got)).toEqual([
      "warning warning",
      "warning error",
      "warning panic",
      "debug debug",
      "debug info",
      "debug warning",
      "debug error",
      "debug panic",
    ]);
  });

  test("of a process is its parent's at the spawn, unless the spawn says otherwise", () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe, { logLevel: "error" });
    const child = inside(parent).spawn(Probe);
    inside(parent).log.setLevel("debug");
    const later = inside(parent).spawn(Probe, { logLevel: "trace" });
    kernel.log.setLevel("panic");
    const last = kernel.spawn(Probe);
    expect([parent, child, later, last].map((pid) => kernel.processInfo(pid).logLevel)).toEqual([
      "debug",
      "error",
      "trace",
      "panic",
    ]);
  });

  test("of a meta-process is its parent's of the moment, and its own from then on", () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe);
    const first = inside(parent).spawnMeta(new Idle());
    inside(parent).log.setLevel("error");
    const second = inside(parent).spawnMeta(new Idle());
    const third = inside(parent).spawnMeta(new Idle(), { logLevel: "trace" });
    kernel.log.of(first).setLevel("debug");
    expect([first, second, third].map((alias) => kernel.metaInfo(alias).logLevel)).toEqual(["debug", "error", "trace"]);
    expect(kernel.log.of(parent).level).toBe("error");
  });

  test("is set to trace only at the start, and to no word that is none", () => {
    const { kernel } = stage();
    expect(() => kernel.log.setLevel("trace")).toThrow(code("actor.incorrect"));
    expect(() => kernel.log.setLevel("loud" as "info")).toThrow(code("actor.incorrect"));
    expect(() => kernel.spawn(Probe, { logLevel: "loud" as "info" })).toThrow(code("actor.incorrect"));
    expect(kernel.info().processes).toBe(0);
    expect(createKernel({ log: { level: "trace" } }).log.level).toBe("trace");
    expect(() => createKernel({ log: { level: "loud" as "info" } })).toThrow(code("actor.incorrect"));
  });
});

describe("a logger", () => {
  test("gets the levels that it asked for, and all without a word", () => {
    const got: string[] = [];
    const kernel = createKernel({ log: { loggers: { all: ({ text }) => got.push(text) } } });
    const errors = listen(kernel, "errors", ["error", "panic"]);
    kernel.log.info("a");
    kernel.log.error("b");
    expect(got).toEqual(["a", "b"]);
    expect(texts(errors)).toEqual(["b"]);
    expect(kernel.log.loggers().map(({ name }) => name)).toEqual(["all", "errors"]);
  });

  test("with a name gets alone what is routed to it, beside what goes to all (114)", async () => {
    const { kernel } = stage();
    const all = listen(kernel, "all");
    const file = listen(kernel, "file");
    const routed = kernel.spawn(Probe);
    const other = kernel.spawn(Probe);
    inside(routed).log.setLogger("file");
    inside(routed).log.info("routed");
    inside(other).log.info("to all");
    expect([texts(all), texts(file)]).toEqual([["to all"], ["routed", "to all"]]);
    kernel.log.of(routed).setLogger(undefined);
    inside(routed).log.info("to all again");
    expect(texts(all)).toEqual(["to all", "to all again"]);
  });

  test("whose name begins with a dot gets only what was routed to it (114)", () => {
    const { kernel } = stage();
    const all = listen(kernel, "all");
    const hidden = listen(kernel, ".hidden");
    const pid = kernel.spawn(Probe);
    const meta = new Idle();
    inside(pid).spawnMeta(meta);
    meta.meta.log.setLogger(".hidden");
    meta.meta.log.info("for the hidden one");
    inside(pid).log.info("for all");
    expect([texts(all), texts(hidden)]).toEqual([["for all"], ["for the hidden one"]]);
  });

  test("that was removed leaves those without a hearer that were routed to it", () => {
    const { kernel } = stage();
    const all = listen(kernel, "all");
    listen(kernel, "file");
    const pid = kernel.spawn(Probe);
    inside(pid).log.setLogger("file");
    kernel.log.removeLogger("file");
    inside(pid).log.info("into the void");
    expect(all).toEqual([]);
    const file = listen(kernel, "file");
    inside(pid).log.info("back");
    expect(texts(file)).toEqual(["back"]);
  });

  test("has a name of its own, and is known by it", () => {
    const { kernel } = stage();
    listen(kernel, "a");
    expect(() => listen(kernel, "a")).toThrow(code("actor.logger_taken"));
    expect(() => kernel.log.removeLogger("b")).toThrow(code("actor.logger_unknown"));
    expect(() => kernel.log.setLogger("b")).toThrow(code("actor.logger_unknown"));
    expect(() => kernel.log.addLogger("", () => undefined)).toThrow(code("actor.incorrect"));
    expect(() => listen(kernel, "b", ["disabled" as "info"])).toThrow(code("actor.incorrect"));
  });

  test("that throws is removed, the others are told, and whoever logs does not notice", () => {
    const { kernel } = stage();
    kernel.log.addLogger("faulty", () => {
      throw new Error("disk full");
    });
    const all = listen(kernel, "all");
    kernel.log.info("one");
    kernel.log.info("two");
    expect(texts(all)).toEqual(["the logger faulty threw and was removed", "one", "two"]);
    expect(all[0]).toMatchObject({ level: "error", error: { message: "disk full" } });
  });

  test("gets nothing of what is logged while it writes, and the others do", () => {
    const { kernel } = stage();
    const own: string[] = [];
    kernel.log.addLogger("talker", ({ text }) => {
      own.push(text);
      kernel.log.info(`about ${text}`);
    });
    const all = listen(kernel, "all");
    kernel.log.info("x");
    expect(own).toEqual(["x"]);
    expect(texts(all)).toEqual(["about x", "x"]);
  });

  test("is closed once, when it is removed or the kernel stops", async () => {
    const { kernel } = stage();
    const closed: string[] = [];
    for (const name of ["a", "b"]) kernel.log.addLogger(name, () => undefined, { close: () => closed.push(name) });
    kernel.log.removeLogger("a");
    await kernel.stop();
    expect(closed).toEqual(["a", "b"]);
  });
});

describe("a process as a logger", () => {
  test("gets records after all other mail, logs nothing itself meanwhile, and is removed at its death (114)", async () => {
    const { kernel } = stage();
    Scribe.got.length = 0;
    const all = listen(kernel, "all");
    const scribe = kernel.spawn(Scribe);
    kernel.log.addProcess("scribe", scribe);
    kernel.log.info("a record");
    kernel.send(scribe, "mail");
    kernel.send(scribe, (self: Scribe) => self.log.error("of itself"));
    await settle();
    expect(Scribe.got).toEqual(["mail", "a record"]);
    expect(kernel.processInfo(scribe).logLevel).toBe("disabled");
    kernel.log.info("stop");
    await settle();
    expect(kernel.isAlive(scribe)).toBe(false);
    expect(kernel.log.loggers().map(({ name }) => name)).not.toContain("scribe");
    expect(texts(all)).toEqual(["a record", "stop"]);
  });

  test("is one logger only, and logs again once it is none", () => {
    const { kernel } = stage();
    const all = listen(kernel, "all");
    const scribe = kernel.spawn(Probe);
    kernel.log.addProcess("scribe", scribe, { levels: ["error"] });
    expect(() => kernel.log.addProcess("again", scribe)).toThrow(code("actor.not_allowed"));
    expect(() => kernel.log.addProcess("scribe", kernel.spawn(Probe))).toThrow(code("actor.logger_taken"));
    kernel.log.removeLogger("scribe");
    inside(scribe).log.info("back");
    expect(texts(all)).toEqual(["back"]);
    kernel.kill(scribe);
    expect(() => kernel.log.addProcess("dead", scribe)).toThrow(code("actor.process_unknown"));
  });

  test("with a full mailbox misses what does not fit, and holds nobody up", async () => {
    const { kernel } = stage();
    Scribe.got.length = 0;
    const scribe = kernel.spawn(Scribe, { mailboxLimit: 2 });
    kernel.log.addProcess("scribe", scribe);
    for (const text of ["1", "2", "3"]) kernel.log.info(text);
    await settle();
    expect(Scribe.got).toEqual(["1", "2"]);
  });
});
