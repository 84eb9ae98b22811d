import { appendContender, appendMeasures } from "../appender.ts";
import type { Bench } from "../contender.ts";
import { openOurLog } from "../ours/log.ts";
import { openJetstream } from "../peers/jetstream.ts";
import { openSqliteRows } from "../peers/sqlite-rows.ts";

/** Durable appends. */
export const logBench: Bench = {
  name: "log",
  question: "How many messages a second are stored durably and acknowledged?",
  measures: appendMeasures,
  ours: appendContender("ours", openOurLog),
  peers: [appendContender("sqlite-commit-per-row", openSqliteRows), appendContender("jetstream", openJetstream)],
};
