import { describe, expect, test } from "vitest";
import { type CronJob, type CronRun, type LogRecord, MessageCron, MessageCronFallback, openKernel } from "../../src/index.ts";
import { written } from "../application/fixture.ts";
import { inside, Probe, type Stage, settle, stage } from "../probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const MINUTE_MS = 60_000;
/** The virtual clock begins at midnight. */
const midnight = Date.UTC(2026, 0, 1);
const at = (minutes: number): number => midnight + minutes * MINUTE_MS;

/** A job that writes down the minutes of its runs. */
function noting(times: string, runs: CronRun[], rest: Partial<CronJob> = {}): CronJob {
  return { name: "job", times, timeZone: "UTC", action: { kind: "run", run: (run) => void runs.push(run) }, ...rest };
}

const minutes = (runs: readonly CronRun[]): number[] => runs.map(({ timeMs }) => (timeMs - midnight) / MINUTE_MS);

function listening(): Stage & { records: LogRecord[] } {
  const set = stage();
  const records: LogRecord[] = [];
  set.kernel.log.addLogger("test", (record) => records.push(record));
  return { ...set, records };
}

describe("a cron job", () => {
  test("runs at the boundary of its minutes, from the minute after it was added on", async () => {
    const { kernel, clock } = stage();
    const runs: CronRun[] = [];
    await clock.advance(30_000);
    kernel.cron.addJob(noting("*/2 * * * *", runs));
    await clock.advance(89_999);
    expect(runs).toEqual([]);
    await clock.advance(1);
    expect(runs).toEqual([{ node: "test@here", job: "job", timeMs: at(2) }]);
    await clock.advance(4 * MINUTE_MS);
    expect(minutes(runs)).toEqual([2, 4, 6]);
  });

  test("runs by the clock of its time zone", async () => {
    const { kernel, clock } = stage();
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("0 9 * * *", runs, { timeZone: "Asia/Tokyo" }));
    await clock.advance(12 * 60 * MINUTE_MS);
    expect(minutes(runs)).toEqual([]);
    await clock.advance(12 * 60 * MINUTE_MS);
    expect(minutes(runs)).toEqual([24 * 60]);
  });

  test("is disabled, enabled and removed, and an idle kernel has no timer", async () => {
    const { kernel, clock } = stage();
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("* * * * *", runs, { isEnabled: false }));
    expect(clock.pendingTimers).toBe(0);
    kernel.cron.enableJob("job");
    await clock.advance(2 * MINUTE_MS);
    kernel.cron.disableJob("job");
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(2 * MINUTE_MS);
    kernel.cron.enableJob("job");
    kernel.cron.enableJob("job");
    await clock.advance(MINUTE_MS);
    kernel.cron.removeJob("job");
    await clock.advance(2 * MINUTE_MS);
    expect([minutes(runs), clock.pendingTimers, kernel.cron.info()]).toEqual([[1, 2, 5], 0, []]);
  });

  test("has a name of its own, times, and an action of a known kind", () => {
    const { kernel } = stage();
    kernel.cron.addJob(noting("* * * * *", []));
    expect(() => kernel.cron.addJob(noting("* * * * *", []))).toThrow(code("actor.cron_job_taken"));
    expect(() => kernel.cron.addJob(noting("* * * * 0", [], { name: "b" }))).toThrow(code("actor.cron_spec"));
    expect(() => kernel.cron.addJob(noting("* * * * *", [], { name: "" }))).toThrow(code("actor.incorrect"));
    const wrong: unknown = { ...noting("* * * * *", [], { name: "b" }), action: { kind: "shout" } };
    expect(() => kernel.cron.addJob(wrong as CronJob)).toThrow(code("actor.incorrect"));
    const misspelt: unknown = { ...noting("* * * * *", [], { name: "b" }), timezone: "UTC" };
    expect(() => kernel.cron.addJob(misspelt as CronJob)).toThrow(code("actor.incorrect"));
    for (const what of ["removeJob", "enableJob", "disableJob", "jobInfo"] as const) {
      expect(() => kernel.cron[what]("b")).toThrow(code("actor.cron_job_unknown"));
    }
    expect(kernel.cron.info()).toHaveLength(1);
  });

  test("may run again while it still runs, and is described with its runs", async () => {
    const { kernel, clock } = stage();
    const ends: (() => void)[] = [];
    const run = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
    kernel.cron.addJob({ name: "slow", times: "* * * * *", timeZone: "UTC", action: { kind: "run", run } });
    await clock.advance(2 * MINUTE_MS);
    expect(kernel.cron.jobInfo("slow")).toEqual({
      name: "slow",
      times: "* * * * *",
      timeZone: "UTC",
      action: "run",
      fallback: undefined,
      isEnabled: true,
      nextMs: at(3),
      lastMs: at(2),
      runs: 2,
      running: 2,
      failures: 0,
      skipped: 0,
      lastError: undefined,
    });
    for (const end of ends) end();
    await settle();
    expect(kernel.cron.jobInfo("slow").running).toBe(0);
  });

  test("runs no more once its kernel stops", async () => {
    const { kernel, clock } = stage();
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("* * * * *", runs));
    await kernel.stop();
    await clock.advance(5 * MINUTE_MS);
    expect([runs, clock.pendingTimers]).toEqual([[], 0]);
    expect(() => kernel.cron.addJob(noting("* * * * *", [], { name: "late" }))).toThrow(code("actor.node_terminated"));
  });
});

describe("the action of a cron job", () => {
  test("sends a MessageCron from the kernel, with the priority that it says", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe, { name: "worker" });
    kernel.cron.addJob({ name: "a", times: "1 0 * * *", timeZone: "UTC", action: { kind: "send", to: "worker" } });
    kernel.cron.addJob({
      name: "b",
      times: "1 0 * * *",
      timeZone: "UTC",
      action: { kind: "send", to: pid, priority: "max" },
    });
    await clock.advance(MINUTE_MS);
    const message = (job: string) => new MessageCron({ node: "test@here", job, timeMs: at(1) });
    expect(inside(pid).got).toEqual([message("b"), message("a")]);
  });

  test("spawns a process that finds the job and the minute in its environment", async () => {
    const { kernel, clock } = stage();
    const seen: unknown[] = [];
    const begin = (probe: Probe) =>
      seen.push(["CRON_NODE_NAME", "CRON_JOB_NAME", "CRON_JOB_ACTION_TIME", "OWN"].map((name) => probe.env(name)));
    const options = { name: "report", env: { own: 1 } };
    kernel.cron.addJob({
      name: "daily",
      times: "5 0 * * *",
      timeZone: "UTC",
      action: { kind: "spawn", actor: Probe, args: [begin], options },
    });
    await clock.advance(5 * MINUTE_MS);
    expect(seen).toEqual([["test@here", "daily", "2026-01-01T00:05:00.000Z", 1]]);
    expect(kernel.whereIs("report")).toBeDefined();
  });

  test("that fails is logged, counted, and told to its fallback", async () => {
    const { kernel, clock, records } = listening();
    const pid = kernel.spawn(Probe, { name: "cleaner" });
    const error = new Error("no disk");
    const run = () => Promise.reject(error);
    const fallback = { name: "cleaner", tag: "nightly" };
    kernel.cron.addJob({ name: "a", times: "1 0 * * *", timeZone: "UTC", action: { kind: "run", run }, fallback });
    await clock.advance(MINUTE_MS);
    expect(inside(pid).got).toEqual([new MessageCronFallback({ node: "test@here", job: "a", timeMs: at(1) }, "nightly", error)]);
    expect(records).toMatchObject([{ level: "error", source: { kind: "kernel" }, fields: { job: "a" }, error }]);
    expect(kernel.cron.jobInfo("a")).toMatchObject({ runs: 1, running: 0, failures: 1, lastError: error });
  });

  test("fails when there is nobody to send to, nothing to spawn on, or nobody to fall back on", async () => {
    const { kernel, clock, records } = listening();
    const rest = { times: "1 0 * * *", timeZone: "UTC", fallback: { name: "nobody" } };
    kernel.cron.addJob({ ...rest, name: "a", action: { kind: "send", to: "nobody" } });
    kernel.cron.addJob({ ...rest, name: "b", action: { kind: "remote_spawn", node: "other@here", name: "worker" } });
    await clock.advance(MINUTE_MS);
    expect(records.map(({ text, fields, error }) => [text, fields.job, (error as { code: string }).code])).toEqual([
      ["a cron job failed", "a", "actor.process_unknown"],
      ["the fallback of a cron job could not be told", "a", "actor.process_unknown"],
      ["a cron job failed", "b", "actor.unsupported"],
      ["the fallback of a cron job could not be told", "b", "actor.process_unknown"],
    ]);
  });
});

describe("a clock that is set", () => {
  test("forward leaves out what it jumped over, which is counted and logged, and goes on from there", async () => {
    const { kernel, clock, records } = listening();
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("* * * * *", runs));
    kernel.cron.addJob(noting("30 * * * *", [], { name: "later" }));
    await clock.advance(MINUTE_MS);
    clock.stepWall(10 * MINUTE_MS);
    await clock.advance(3 * MINUTE_MS);
    expect(minutes(runs)).toEqual([1, 13, 14]);
    expect(kernel.cron.info().map(({ skipped }) => skipped)).toEqual([1, 0]);
    expect(records).toMatchObject([{ level: "warning", fields: { jobs: ["job"], lateSeconds: 600 } }]);
  });

  test("back over a boundary by less than a minute does not run its jobs a second time", async () => {
    const { kernel, clock } = stage();
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("* * * * *", runs));
    await clock.advance(MINUTE_MS + 5_000);
    clock.stepWall(-10_000);
    await clock.advance(2 * MINUTE_MS);
    expect(minutes(runs)).toEqual([1, 2]);
  });

  test("back by more is believed: minutes come again", async () => {
    const { kernel, clock } = stage();
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("*/5 * * * *", runs));
    await clock.advance(10 * MINUTE_MS);
    clock.stepWall(-8 * MINUTE_MS);
    await clock.advance(10 * MINUTE_MS);
    expect(minutes(runs)).toEqual([5, 10, 5, 10]);
  });

  test("back by a little more than a minute loses no later run", async () => {
    const { kernel, clock } = stage();
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("* * * * *", runs));
    await clock.advance(10 * MINUTE_MS + 30_000);
    clock.stepWall(-90_000);
    await clock.advance(4 * MINUTE_MS);
    expect(minutes(runs)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });
});

describe("a schedule", () => {
  test("tells what all enabled jobs will do from a moment on, and what one will", () => {
    const { kernel } = stage();
    kernel.cron.addJob(noting("*/30 * * * *", [], { name: "a" }));
    kernel.cron.addJob(noting("0 1 * * *", [], { name: "b" }));
    kernel.cron.addJob(noting("* * * * *", [], { name: "off", isEnabled: false }));
    expect(kernel.cron.schedule(midnight, 61 * MINUTE_MS)).toEqual([
      { timeMs: at(0), jobs: ["a"] },
      { timeMs: at(30), jobs: ["a"] },
      { timeMs: at(60), jobs: ["a", "b"] },
    ]);
    expect(kernel.cron.schedule(midnight, 60 * MINUTE_MS, 1)).toEqual([{ timeMs: at(0), jobs: ["a"] }]);
    expect(kernel.cron.jobSchedule("off", midnight + 1, 2 * MINUTE_MS)).toEqual([at(1), at(2)]);
    expect(() => kernel.cron.jobSchedule("none", midnight, 1)).toThrow(code("actor.cron_job_unknown"));
  });

  test("is what the jobs then do, also over a change of the clocks", async () => {
    const { clock, kernel } = stage();
    const since = Date.UTC(2026, 9, 24, 23);
    await clock.advance(since - midnight - 1);
    const runs: CronRun[] = [];
    kernel.cron.addJob(noting("30 2 * * *", runs, { name: "outright", timeZone: "Europe/Berlin" }));
    kernel.cron.addJob(noting("*/30 * * * *", runs, { name: "steps", timeZone: "Europe/Berlin" }));
    const promised = kernel.cron.schedule(since, 4 * 60 * MINUTE_MS);
    await clock.advance(4 * 60 * MINUTE_MS);
    expect(runs.map(({ timeMs, job }) => [timeMs, job])).toEqual(
      promised.flatMap(({ timeMs, jobs }) => jobs.map((job) => [timeMs, job])),
    );
    expect(runs.filter(({ job }) => job === "outright")).toHaveLength(1);
  });
});

describe("openKernel", () => {
  test("starts applications with what they depend on, in any order, then adds cron jobs", async () => {
    const steps: string[] = [];
    const kernel = await openKernel({
      name: "open@here",
      applications: [written("shop", steps, { dependsOn: ["db"] }), written("db", steps)],
      cronJobs: [noting("@daily", [])],
    });
    expect(steps.filter((step) => step.endsWith("start"))).toEqual(["db start", "shop start"]);
    expect(kernel.cron.info()).toHaveLength(1);
    await kernel.stop();
    expect(kernel.info().processes).toBe(0);
  });

  test("leaves nothing behind when something does not start", async () => {
    const steps: string[] = [];
    const init = () => Promise.reject(new Error("no disk"));
    const applications = [written("db", steps), written("shop", steps, { init })];
    await expect(openKernel({ applications })).rejects.toThrow("no disk");
    expect(steps.slice(-1)).toEqual(["db terminate normal"]);
    steps.length = 0;
    await expect(openKernel({ applications: [written("db", steps)], cronJobs: [noting("often", [])] })).rejects.toThrow(
      code("actor.cron_spec"),
    );
    expect(steps.slice(-1)).toEqual(["db terminate normal"]);
  });
});
