/**
 * The running totals of an audit: an actor that counts what is inspected, and a web server that answers with it while the
 * audit runs. Both are supervised, and neither can disturb the audit.
 */
import { Actor, type Call, type PID, type Ref, Supervisor, type SupervisorSpec } from "@metanode/actors";
import { createWebHandler, type MessageWebRequest, openWebServer, WebWorker } from "@metanode/actors/web";
import type { ActorSpec } from "@metanode/gateway";
import type { Finding } from "./finding.ts";
import type { Inspection } from "./inspect.ts";
import type { News, Totals } from "./news.ts";

type Question = Call<{ readonly type: "audit.totals" }, Totals>;

/** Counts, and answers messages and web requests with the counts. It begins anew when it is started again. */
export class Tally extends WebWorker<News, Question> {
  #begun: Pick<Totals, "file" | "packages"> = { file: "", packages: 0 };
  #inspected = 0;
  #errors = 0;
  readonly #licenses: Record<string, number> = {};
  readonly #integrity: Record<string, number> = {};
  readonly #findings: Record<string, number> = {};

  override handleMessage(from: PID, message: News | MessageWebRequest) {
    if (!("type" in message)) return super.handleMessage(from, message);
    if (message.type === "audit.begun") this.#begun = message.data ?? this.#begun;
    else if (message.data !== undefined) this.#count(message.data);
  }

  override handleCall(_from: PID, _ref: Ref, _question: Question["request"]): Totals {
    return this.#totals;
  }

  override handleGet(_from: PID, { response }: MessageWebRequest) {
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify(this.#totals, null, 2)}\n`);
  }

  override handleInspect() {
    return { inspected: `${this.#inspected} of ${this.#begun.packages}`, file: this.#begun.file };
  }

  get #totals(): Totals {
    const counts = { licenses: this.#licenses, integrity: this.#integrity, findings: this.#findings };
    return { ...this.#begun, inspected: this.#inspected, errors: this.#errors, ...structuredClone(counts) };
  }

  #count(outcome: Inspection | Finding): void {
    this.#inspected++;
    if (!("license" in outcome)) {
      this.#errors++;
      return;
    }
    add(this.#licenses, outcome.license.kind);
    add(this.#integrity, outcome.integrity);
    for (const { kind } of outcome.findings) add(this.#findings, kind);
  }
}

function add(counts: Record<string, number>, kind: string): void {
  counts[kind] = (counts[kind] ?? 0) + 1;
}

/** Where the totals are answered over HTTP. The requests go to whoever is named `tally` when they come. */
export class Door extends Actor<never, Call<{ readonly type: "audit.address" }, string>> {
  #url = "";

  override async init(port: number) {
    const handler = createWebHandler({ worker: "tally" });
    this.spawnMeta(handler);
    const server = await openWebServer({ port, handler });
    this.spawnMeta(server);
    this.#url = `http://${server.address}`;
  }

  override handleCall(): string {
    return this.#url;
  }
}

/** Keeps the tally and the door, each by itself: a tally that fails closes no door. */
export class TotalsSupervisor extends Supervisor {
  override init(port: number): SupervisorSpec {
    return {
      strategy: "permanent",
      children: [
        { name: "tally", actor: Tally },
        { name: "door", actor: Door, args: [port] },
      ],
    };
  }
}

/** The totals as a configured actor of a node, with the messages that reach its parts. */
export function totalsActor(port: number): ActorSpec {
  return {
    name: "totals",
    actor: TotalsSupervisor,
    args: [port],
    handles: {
      "audit.begun": { actor: "tally", mode: "send" },
      "audit.inspected": { actor: "tally", mode: "send" },
      "audit.totals": { actor: "tally", description: "What the audit has counted so far" },
      "audit.address": { actor: "door", description: "Where the totals are answered over HTTP" },
    },
  };
}
