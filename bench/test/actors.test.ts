import { describe, expect, test } from "vitest";
import { type ActorWorld, actorContender, actorMeasures } from "../src/actors.ts";
import { Unavailable } from "../src/contender.ts";
import { withMillion } from "../src/million.ts";
import { openOurActors } from "../src/ours/actors.ts";
import { openErlang, openErlangGenServer } from "../src/peers/erlang.ts";
import { openMoleculerLocal } from "../src/peers/moleculer-local.ts";
import { openNact } from "../src/peers/nact.ts";
import { openXstate } from "../src/peers/xstate.ts";

const worlds: [name: string, open: () => Promise<ActorWorld>, can: (keyof ActorWorld)[]][] = [
  ["ours", () => withMillion("ours", openOurActors), ["send", "call", "spawn", "million", "subscribe"]],
  ["erlang", openErlang, ["send", "call", "spawn", "million", "subscribe"]],
  ["erlang-gen_server", openErlangGenServer, ["call"]],
  ["nact", openNact, ["send", "call", "spawn", "subscribe"]],
  ["xstate", openXstate, ["send", "call", "spawn", "subscribe"]],
  ["moleculer", openMoleculerLocal, ["call"]],
];

describe("the world of", () => {
  test.for(worlds)("%s does all of the work, several times over, where it is installed", async ([_name, open, can], { skip }) => {
    const world = await open().catch((error: unknown) => {
      if (error instanceof Unavailable) return skip(error.message);
      throw error;
    });
    for (const work of can) expect(world[work]).toBeTypeOf("function");
    for (let round = 0; round < 2; round++) {
      await world.send?.(1, 100);
      await world.send?.(14, 10);
      await world.call?.(10);
      await (await world.spawn?.(10))?.end();
      const audience = await world.subscribe?.(20);
      for (let news = 0; news < 3; news++) await audience?.publish();
      await audience?.end();
    }
    const million = await world.million?.(2_000);
    if (million !== undefined) {
      expect(million.tookMs).toBeGreaterThan(0);
      expect(million.bytesEach).toBeGreaterThan(50);
    }
    await world.close();
  });
});

describe("a million idle actors", () => {
  test("are made once for both figures that are taken of them", async () => {
    let made = 0;
    const million = async () => ({ tookMs: 1_000 * ++made, bytesEach: made });
    const { open } = actorContender("a", async () => ({ million, close: async () => undefined }));
    const { samplers } = await open();
    expect(Object.keys(samplers)).toEqual(["spawn.million", "spawn.bytes"]);
    const take = async (name: string): Promise<number | undefined> => samplers[name]?.(1);
    expect([await take("spawn.million"), await take("spawn.million")]).toEqual([1_000_000, 500_000]);
    expect([await take("spawn.bytes"), await take("spawn.bytes"), await take("spawn.bytes")]).toEqual([1, 2, 3]);
    expect([await take("spawn.million"), made]).toEqual([1_000_000 / 3, 3]);
  });
});

describe("the measures of actors", () => {
  test("have names that are fixed", () => {
    expect(actorMeasures.map(({ name }) => name)).toEqual([
      "send.local",
      "send.pairs14",
      "call.local",
      "spawn",
      "spawn.million",
      "spawn.bytes",
      "publish.100k",
    ]);
  });
});
