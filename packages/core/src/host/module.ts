import { existsSync } from "node:fs";
import { wait } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { ModuleHealth, ModuleHost, NodeModule } from "../node/module.ts";
import type { Registration } from "../router/router.ts";
import { ownCard } from "../tree/own-card.ts";
import { exec, Runs } from "./exec.ts";
import { type HostFacts, readFacts } from "./facts.ts";
import { Gate } from "./gate.ts";
import { hostMember } from "./member.ts";
import { type HostControlOptions, type ResolvedHostControl, resolveHostControl } from "./options.ts";
import { Pushes } from "./push.ts";
import { HOST_VERBS } from "./rules.ts";
import { DESCRIPTIONS, INPUT_SCHEMAS, STREAMING } from "./schemas.ts";
import { Systemd } from "./systemd.ts";
import { Units } from "./units.ts";
import { handlersOf } from "./verbs.ts";

/** The module that lets others manage the host of the node, as far as its rules allow. */
export interface HostModule extends NodeModule {
  /** What `metanode.host.facts` answers. @throws {MetanodeError} node.closed – the node does not run */
  facts(): Promise<HostFacts>;
}

/** What lives from start to stop. */
interface Running {
  readonly node: ModuleHost;
  readonly units: Units;
  readonly runs: Runs;
  /** Ends whoever follows a log. */
  readonly closing: AbortController;
  /** Ends every program. */
  readonly stopping: AbortController;
  readonly routes: readonly Registration[];
}

class HostControl implements HostModule {
  readonly name = "host";
  readonly #options: ResolvedHostControl;
  #running: Running | undefined;

  constructor(options: HostControlOptions) {
    this.#options = resolveHostControl(options);
  }

  facts(): Promise<HostFacts> {
    const { node } = this.#alive();
    return readFacts({ folder: node.folder, processes: this.#options.processes });
  }

  async start(node: ModuleHost): Promise<void> {
    const { clock, logger, journal } = node;
    const runs = new Runs(this.#options.maxPrograms);
    const means = {
      clock,
      onEvent: (unit: string, event: "started" | "stopped" | "crashed") => {
        logger[event === "crashed" ? "warn" : "info"]({ unit }, `unit ${unit} ${event}`);
        journal.add({ kind: "processor", what: unit, type: event });
      },
    };
    const systemd = existsSync(this.#options.systemdFolder) ? new Systemd(clock, runs.groups) : undefined;
    const units = new Units(this.#options.units, means, systemd);
    const [closing, stopping] = [new AbortController(), new AbortController()];
    const handlers = handlersOf({
      gate: new Gate({ rules: this.#options.rules, card: () => ownCard(node.router), clock, logger, audit: this.#options.audit }),
      clock,
      facts: () => this.facts(),
      units,
      pushes: new Pushes(),
      exec: (input, target, context) => exec(input, target, { context, clock, runs, stopping: stopping.signal }),
      closing: closing.signal,
    });
    const routes = HOST_VERBS.map((verb) =>
      node.router.register({
        type: `metanode.host.${verb}`,
        member: hostMember(handlers[verb], { streaming: STREAMING.has(verb), maxBytes: node.maxMessageBytes }),
        inputSchema: INPUT_SCHEMAS[verb],
        description: DESCRIPTIONS[verb],
        streaming: STREAMING.has(verb),
      }),
    );
    this.#running = { node, units, runs, closing, stopping, routes };
    await units.startAll();
  }

  health(): ModuleHealth {
    const reasons = (this.#running?.units.statuses() ?? [])
      .filter(({ state }) => state === "failed" || state === "backoff")
      .map(
        ({ unit, state, exit, problem }) => `unit ${unit}: ${state}, ${problem ?? `it ended with ${exit?.code ?? exit?.signal}`}`,
      );
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(graceMs: number): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    const { routes, closing, runs, units, node } = running;
    for (const route of routes) route.remove();
    closing.abort(coreError("node.closed", `node ${node.node} is stopping`));
    const work = Promise.all([units.stopAll(), ...[...runs.groups].map(({ gone }) => gone)]);
    const over = new AbortController();
    await Promise.race([work, wait(node.clock, graceMs, over.signal).catch(() => undefined)]);
    over.abort();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    const { routes, closing, stopping, runs, units } = running;
    for (const route of routes) route.remove();
    const reason = coreError("node.closed", "the node has stopped, and what it ran with it");
    closing.abort(reason);
    const ending = [...runs.groups];
    stopping.abort(reason);
    for (const group of ending) group.kill();
    await Promise.all([units.killAll(), ...ending.map(({ gone }) => gone)]);
  }

  #alive(): Running {
    if (this.#running === undefined) throw coreError("node.closed", "the host control of this node is not running");
    return this.#running;
  }
}

/**
 * Management of the host as messages `metanode.host.<verb>`: facts, exec, push, pull, unit, log. A node without the
 * module has no such types. What no rule allows is denied with `auth.denied`, and every attempt is written down.
 *
 * Who asks is the extension attribute `caller` of the message (`role:admin`, or the path of a node), `local` without one. It
 * is believed: every face that takes messages from outside must set it itself, whatever the sender states. A program that is
 * allowed is allowed with all its arguments.
 *
 * ```ts
 * hostControl({
 *   rules: [
 *     { verbs: ["exec"], paths: ["uptime", "/opt/shop/bin/*"], env: ["SHOP_*"], callers: ["role:{operator,admin}"] },
 *     { verbs: ["pull", "log"], paths: ["/var/log/**"], callers: ["role:*"], where: "region=eu" },
 *   ],
 * })
 * ```
 * @throws {MetanodeError} config.invalid – with the path of what is wrong
 */
export function hostControl(options: HostControlOptions = {}): HostModule {
  return new HostControl(options);
}
