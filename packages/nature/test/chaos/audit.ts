import type pg from "pg";
import { ACCOUNTS, type Account, accountOf, amountOf } from "./flow.ts";

/** What is wrong in the database; every number but `versions` must be 0. */
export interface Audit {
  /** Accepted orders without an instance of each step. */
  readonly lost: number;
  /** Instances of steps beyond one per order. */
  readonly doubled: number;
  /** Instances of steps of which nobody put the order in. */
  readonly strangers: number;
  /** Versions of accounts. */
  readonly versions: number;
  /** Versions missing between the first and the last of an account. */
  readonly gaps: number;
  /** Versions beyond one with the same number, or from the same order. */
  readonly forks: number;
  /** Accounts whose total or number of orders is not that of the orders put in. */
  readonly wrongTotals: number;
  /** Tasks that are still open. */
  readonly left: number;
  /** Tasks that were given up. */
  readonly failed: number;
}

const STEPS = ["B:chaos/order:1", "B:chaos/packed:1", "B:chaos/sent:1", "B:chaos/done:1"];
const ACCOUNT = "B:chaos/account:1";

/** Open tasks; those of engines that are gone count. */
export async function openTasks(client: pg.Client): Promise<number> {
  return (await numbers(client, "SELECT count(*) FROM task"))[0] ?? 0;
}

/** Counts in the database what became of the orders. */
export async function audit(client: pg.Client, accepted: ReadonlySet<number>): Promise<Audit> {
  const { lost, doubled, strangers } = await auditSteps(client, accepted);
  const sums = `SELECT count(*), coalesce(sum(last - versions), 0), coalesce(sum(2 * rows - numbers - sources), 0) FROM (
    SELECT max(version) AS last, count(DISTINCT version) AS versions, count(*) AS rows, count(DISTINCT version) AS numbers,
      count(DISTINCT from_key) AS sources FROM instance WHERE meta = '${ACCOUNT}' GROUP BY id, para) AS line`;
  const [, gaps = 0, forks = 0] = await numbers(client, sums);
  const [versions = 0] = await numbers(client, `SELECT count(*) FROM instance WHERE meta = '${ACCOUNT}'`);
  const [failed = 0] = await numbers(client, "SELECT count(*) FROM failed_task");
  const wrongTotals = await auditTotals(client, accepted);
  return { lost, doubled, strangers, versions, gaps, forks, wrongTotals, left: await openTasks(client), failed };
}

async function auditSteps(client: pg.Client, accepted: ReadonlySet<number>) {
  let [lost, doubled, strangers] = [0, 0, 0];
  for (const meta of STEPS) {
    const { rows } = await client.query<{ id: string }>("SELECT id FROM instance WHERE meta = $1", [meta]);
    const found = new Set(rows.map(({ id }) => Number(id)));
    lost += [...accepted].filter((order) => !found.has(order)).length;
    doubled += rows.length - found.size;
    strangers += [...found].filter((order) => !accepted.has(order)).length;
  }
  return { lost, doubled, strangers };
}

async function auditTotals(client: pg.Client, accepted: ReadonlySet<number>): Promise<number> {
  const expected = new Map<string, Account>();
  for (const order of accepted) {
    const { total = 0, orders = 0 } = expected.get(accountOf(order)) ?? {};
    expected.set(accountOf(order), { total: total + amountOf(order), orders: orders + 1 });
  }
  const last = "SELECT DISTINCT ON (id) id, content FROM instance WHERE meta = $1 ORDER BY id, version DESC";
  const { rows } = await client.query<{ id: string; content: string }>(last, [ACCOUNT]);
  const found = new Map(rows.map(({ id, content }) => [String(Number(id)), content]));
  return Array.from({ length: ACCOUNTS }, (_, at) => String(at + 1)).filter(
    (id) => found.get(id) !== (expected.has(id) ? JSON.stringify(expected.get(id)) : undefined),
  ).length;
}

async function numbers(client: pg.Client, sql: string): Promise<number[]> {
  const { rows } = await client.query<string[]>({ text: sql, rowMode: "array" });
  return (rows[0] ?? []).map(Number);
}
