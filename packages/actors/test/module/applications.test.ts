import { createNode } from "@metanode/core";
import { settle } from "@metanode/core/testing/clock";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { Actor, type ApplicationSpec, type LogLevel, type PID } from "../../src/index.ts";
import { actors } from "../../src/module/index.ts";
import { Tally } from "./actors.ts";
import { errorOf, ground } from "./ground.ts";

describe("an application of the module", () => {
  const counter = (name: string, more: Partial<ApplicationSpec> = {}): ApplicationSpec => ({
    name,
    mode: "permanent",
    group: [{ actor: Tally, name: `${name}.tally` }],
    ...more,
  });

  test("runs with what it depends on before the roots start, handles messages, and stops with the node", async () => {
    const stopped: string[] = [];
    const terminate = ({ name }: { name: string }): void => void stopped.push(name);
    class Late extends Actor {
      override init(): void {
        this.monitor("shop.tally");
      }
    }
    const { node, hosted } = await ground({
      applications: [counter("shop", { dependsOn: ["stock"], terminate }), counter("stock", { terminate })],
      roots: { late: { actor: Late } },
      handles: { "shop.get": "shop.tally" },
    });
    expect(await node.call({ type: "shop.get" })).toBe(0);
    expect(hosted.kernel.applications().map(({ name, state }) => [name, state])).toEqual([
      ["shop", "running"],
      ["stock", "running"],
    ]);
    expect(node.health().status).toBe("ok");
    await node.drain();
    expect(stopped).toEqual(["shop", "stock"]);
  });

  test("that does not start, or was stopped, makes the node degraded, and the node runs", async () => {
    const init = (): never => {
      throw new Error("no database");
    };
    const { node, hosted, lines } = await ground({
      applications: [counter("broken", { init }), counter("fine"), counter("once", { mode: "temporary" })],
    });
    expect(lines).toContainEqual(expect.objectContaining({ application: "broken", msg: "application broken did not start" }));
    expect(hosted.health().reasons).toEqual(["application broken is loaded, expected running"]);
    expect(await node.call({ type: "tally.get" })).toBe(0);
    await hosted.kernel.stopApplication("fine");
    await hosted.kernel.stopApplication("once");
    expect(hosted.health().reasons).toEqual([
      "application broken is loaded, expected running",
      "application fine is loaded, expected running",
    ]);
  });

  test("that is specified wrongly keeps the node from starting", async () => {
    const error = await errorOf(
      createNode({ modules: [actors({ applications: [counter("")] })], logger: pino({ level: "silent" }) }),
    );
    expect(error).toMatchObject({ code: "actor.application_spec" });
    expect(() => actors({ applications: {} as never })).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

describe("what actors log", () => {
  class Talker extends Actor<LogLevel> {
    override handleMessage(_from: PID, level: LogLevel): void {
      this.log.write(level as never, `said at ${level}`, { n: 1, error: new Error("why") });
    }
  }

  test("are lines of the node's log, at the level of the node, with who said it", async () => {
    const { hosted, lines } = await ground({ roots: { talker: { actor: Talker } }, handles: {} });
    const pid = hosted.kernel.whereIs("talker") as PID;
    for (const level of ["trace", "debug", "info", "warning", "error", "panic"]) hosted.kernel.send("talker", level as never);
    await settle();
    const said = lines.filter(({ msg }) => msg.startsWith("said"));
    expect(said.map(({ level, msg }) => [level, msg])).toEqual([
      [20, "said at debug"],
      [30, "said at info"],
      [40, "said at warning"],
      [50, "said at error"],
      [50, "said at panic"],
    ]);
    const who = { module: "actors", process: String(pid), actor: "talker", behaviour: "Talker" };
    expect(said[0]).toMatchObject({ ...who, n: 1, err: { message: "why" } });
  });

  test.each([
    ["trace", "trace"],
    ["warn", "warning"],
    ["error", "error"],
    ["fatal", "panic"],
    ["silent", "disabled"],
  ])("are made from the level of the node on: %s is %s", async (level, expected) => {
    const { hosted } = await ground({}, { logger: pino({ level }, { write: () => undefined }) });
    expect(hosted.kernel.log.level).toBe(expected);
  });
});
