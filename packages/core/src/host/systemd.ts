import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import { Lines, type LogItem } from "./lines.ts";
import { Outflow } from "./outflow.ts";
import { type Exit, environmentOf, launch, type ProcessGroup } from "./process-group.ts";
import { findInPath } from "./target.ts";
import type { UnitState, UnitStatus } from "./unit.ts";

export type UnitAction = "start" | "stop" | "restart" | "status";

const STATES: Readonly<Record<string, UnitState>> = {
  active: "running",
  reloading: "running",
  refreshing: "running",
  activating: "starting",
  deactivating: "stopping",
  failed: "failed",
};

/** What the host itself says about its units, through its own programs. */
export class Systemd {
  readonly #clock: Clock;
  readonly #groups: Set<ProcessGroup>;

  constructor(clock: Clock, groups: Set<ProcessGroup>) {
    this.#clock = clock;
    this.#groups = groups;
  }

  /** @throws {MetanodeError} resource.not_found – no such unit; processor.failed – systemd refused */
  async act(unit: string, action: UnitAction): Promise<UnitStatus> {
    const before = await this.#show(unit);
    if (action === "status") return before;
    const { exit, errors } = await this.#run("systemctl", ["--no-ask-password", action, "--", unit]);
    if (exit.code !== 0) {
      throw coreError("processor.failed", `systemctl ${action} ${unit} ended with ${exit.code ?? exit.signal}: ${errors.trim()}`);
    }
    return this.#show(unit);
  }

  /** What the journal of the host has of a unit. */
  async *log(
    unit: string,
    { lines, follow, signal }: { lines: number; follow: boolean; signal: AbortSignal },
  ): AsyncGenerator<LogItem> {
    const args = ["--no-pager", "--output=cat", `--lines=${lines}`, ...(follow ? ["--follow"] : []), `--unit=${unit}`];
    const group = await this.#launch("journalctl", args);
    const outflow = new Outflow();
    outflow.add("stdout", group.stdout);
    group.stderr.resume();
    void group.gone.then(() => outflow.end());
    const drop = (): void => {
      outflow.discard();
      group.end();
    };
    signal.addEventListener("abort", drop);
    if (signal.aborted) drop();
    const cut = new Lines();
    try {
      for await (const { data, encoding } of outflow.read()) {
        const found = cut.push(Buffer.from(data, encoding));
        if (found.length > 0) yield { lines: found };
      }
      const rest = cut.end();
      if (rest.length > 0) yield { lines: rest };
    } finally {
      signal.removeEventListener("abort", drop);
      drop();
    }
  }

  async #show(unit: string): Promise<UnitStatus> {
    const properties = "--property=LoadState,ActiveState,MainPID,NRestarts";
    const { exit, output, errors } = await this.#run("systemctl", ["show", properties, "--", unit]);
    const found = new Map(output.split("\n").map((line) => line.split("=", 2) as [string, string]));
    if (exit.code !== 0) throw coreError("processor.failed", `systemctl show ${unit} ended with ${exit.code}: ${errors.trim()}`);
    if (found.get("LoadState") === "not-found") {
      throw coreError(
        "resource.not_found",
        `the systemd of this host has no unit ${unit}; \`systemctl list-units --all\` lists them`,
      );
    }
    const pid = Number(found.get("MainPID") ?? 0);
    return {
      unit,
      manager: "systemd",
      state: STATES[found.get("ActiveState") ?? ""] ?? "stopped",
      restarts: Number(found.get("NRestarts") ?? 0),
      ...(pid > 0 ? { pid } : {}),
    };
  }

  async #run(program: string, args: readonly string[]): Promise<{ exit: Exit; output: string; errors: string }> {
    const group = await this.#launch(program, args);
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      group[name].setEncoding("utf8").on("data", (chunk: string) => {
        if (text[name].length < MAX_TEXT_CHARS) text[name] += chunk;
      });
    }
    const exit = await group.gone;
    return { exit, output: text.stdout, errors: text.stderr };
  }

  async #launch(program: string, args: readonly string[]): Promise<ProcessGroup> {
    const file = await findInPath(program);
    if (file === undefined) throw coreError("call.unsupported", `systemd runs, but ${program} is not on the node's PATH`);
    const group = await launch({ file, args, cwd: "/", env: environmentOf(), graceMs: 2_000, clock: this.#clock });
    this.#groups.add(group);
    void group.gone.then(() => this.#groups.delete(group));
    return group;
  }
}

const MAX_TEXT_CHARS = 64 * 1_024;
