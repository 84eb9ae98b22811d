import { once } from "node:events";
import * as net from "node:net";
import { asMetanodeError } from "@metanode/core/errors";
import { ApiClient } from "../api/client.ts";
import { paths } from "../api/paths.ts";
import type { NodeView } from "../api/views.ts";
import { connectionOf, type Settings } from "../settings.ts";
import { nowMs } from "../time.ts";
import { type Finding, fail, info, ok, warn } from "./finding.ts";

/** Where a node listens when nobody says otherwise. */
const DEFAULT_PORT = 7_400;
const ANSWER_TIMEOUT_MS = 5_000;
/** A greater difference than this confuses deadlines between machines. */
const SKEW_MS = 5_000;

/** What is known of the node that is meant. */
export interface NodeReport {
  readonly isAnswered: boolean;
  readonly findings: readonly Finding[];
}

/** Asks the node that the settings name, or looks whether one could start. */
export async function checkNodeAnswers(settings: Settings): Promise<NodeReport> {
  if (settings.url.value === undefined) {
    return {
      isAnswered: false,
      findings: [await checkPort(), info("node answers", `none runs on ${settings.data.value}; \`metanode up\` starts one`)],
    };
  }
  const client = new ApiClient(connectionOf(settings));
  const where = `${settings.url.value} (${settings.url.source})`;
  try {
    const { headers, body } = await client.request({ path: "/healthz", timeoutMs: ANSWER_TIMEOUT_MS });
    body.resume();
    const skew = skewOf(headers.date);
    return { isAnswered: true, findings: [ok("port", `${where} is answered by a node`), await checkHealth(client), ...skew] };
  } catch (thrown) {
    const error = asMetanodeError(thrown);
    const isStale = settings.url.source.endsWith("gateway.json") && error.code === "node.unreachable";
    const advice = isStale
      ? "start it again with `metanode up`: it ended without a word"
      : "see that it runs, and that --url, METANODE_URL or the context is right";
    return { isAnswered: false, findings: [fail("node answers", error.message, advice)] };
  }
}

async function checkHealth(client: ApiClient): Promise<Finding> {
  try {
    const { name, state, health } = await client.json<NodeView>({ path: paths.node, timeoutMs: ANSWER_TIMEOUT_MS });
    const reasons = Object.values(health.modules).flatMap((one) => one.reasons);
    if (health.status === "ok") return ok("node answers", `${name} is ${state}, health ok`);
    const found = `${name} is ${state}, health ${health.status}: ${reasons.join("; ")}`;
    const advice = "`metanode processor ls` and `metanode processor logs <name>` tell more";
    return health.status === "failing" ? fail("node answers", found, advice) : warn("node answers", found, advice);
  } catch (thrown) {
    const error = asMetanodeError(thrown);
    return fail(
      "node answers",
      error.message,
      error.code === "auth.unauthenticated"
        ? "pass the node's own token with --token or METANODE_TOKEN"
        : `metanode explain ${error.code}`,
    );
  }
}

function skewOf(date: string | undefined): Finding[] {
  const skewMs = Math.abs(Date.parse(date ?? "") - nowMs());
  if (Number.isNaN(skewMs)) return [];
  if (skewMs <= SKEW_MS) return [ok("clocks agree", "the node's clock and this one")];
  return [
    warn("clocks agree", `the node's clock is ${Math.round(skewMs / 1_000)} s away from this one`, "keep both right with NTP"),
  ];
}

/** Whether a node could listen where it does by default. */
async function checkPort(): Promise<Finding> {
  const server = net.createServer();
  try {
    server.listen(DEFAULT_PORT, "127.0.0.1");
    await once(server, "listening");
    server.close();
    return ok("port", `${DEFAULT_PORT} is free`);
  } catch {
    const advice = `stop the program that has it, or start the node with --port`;
    return warn("port", `${DEFAULT_PORT} is taken by ${await whoHasIt()}`, advice);
  }
}

async function whoHasIt(): Promise<string> {
  const connection = { url: new URL(`http://127.0.0.1:${DEFAULT_PORT}`), token: undefined, urlSource: "default" };
  try {
    await new ApiClient(connection).json({ path: "/healthz", timeoutMs: ANSWER_TIMEOUT_MS });
    return "a node with another data folder";
  } catch {
    return "another program";
  }
}
