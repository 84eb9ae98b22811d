/**
 * The process in which a system of workflows and the load on it run: `node flow-worker.ts <system> <where>`. Each has one of its own, so that
 * neither garbage nor timers of one disturb another.
 */
import { type FlowQuestion, type FlowWork, type FlowWorld, IN_FLIGHT } from "./flows.ts";
import { medianLatencyUs, throughput } from "./load.ts";
import { nextPayload } from "./payload.ts";
import { answerQuestions } from "./processes.ts";

const openers: Readonly<Record<string, () => Promise<{ open(where: string): Promise<FlowWorld> }>>> = {
  "ours-sqlite": async () => ({ open: (await import("./ours/flows.ts")).openOnSqlite }),
  "ours-stepwise": async () => ({ open: (await import("./ours/flows.ts")).openStepwiseOnSqlite }),
  "ours-postgres": async () => ({ open: (await import("./ours/flows.ts")).openOnPostgres }),
  restate: async () => ({ open: (await import("./peers/restate-flows.ts")).openRestateFlows }),
  dbos: async () => ({ open: (await import("./peers/dbos-flows.ts")).openDbosFlows }),
};

const [system = "", where = ""] = process.argv.slice(2);
const opener = openers[system];
if (opener === undefined) throw new Error(`there is no system ${system}`);
const world = await (await opener()).open(where);

/** Whole pieces of work that there must be, by kind. */
const expected = new Map<FlowWork, number>();

async function sample({ work, durationMs }: FlowQuestion): Promise<number> {
  const before = expected.get(work) ?? (await world.count(work));
  let done = 0;
  const one = async (): Promise<void> => {
    await begin(work);
    done += 1;
  };
  const figure =
    work === "relay10" ? (await medianLatencyUs(durationMs, one)) / 1_000 : await throughput(IN_FLIGHT, durationMs, one);
  const whole = await world.count(work);
  if (whole !== before + done) throw new Error(`${system} said ${done} times that ${work} is done, and stored ${whole - before}`);
  expected.set(work, whole);
  return figure;
}

function begin(work: FlowWork): Promise<unknown> {
  const input = JSON.stringify(nextPayload());
  if (work !== "stored") return world.flow(work, input);
  if (world.store === undefined) throw new Error(`${system} stores nothing by itself`);
  return world.store(input);
}

answerQuestions(
  (question) => sample(question as FlowQuestion),
  () => world.close(),
);
