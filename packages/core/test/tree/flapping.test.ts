import { beforeEach, describe, expect, test } from "vitest";
import { handlerMember } from "../../src/member/handler.ts";
import { TARGET } from "../../src/router/router.ts";
import { SIMULATED_TIMES } from "../../src/testing/tree/node.ts";
import { type Child, TREE } from "../../src/tree/index.ts";
import { World } from "./world.ts";

/** What only `b` does. */
const ONLY = "only.b";
const STABLE_MS = 5 * SIMULATED_TIMES.heartbeatMs;

let world: World;

beforeEach(async () => {
  world = await World.of("a", "b");
  await world.during(world.adopt("a", "b"));
  offer();
});

function offer(): void {
  world.node("b").router?.register({ type: ONLY, member: handlerMember(ONLY, () => "done") });
}

/** `b` ends, by dying or in order, comes back after a moment and lives that long. */
async function lives(ms: number, isOrderly = false): Promise<void> {
  const b = world.node("b");
  if (isOrderly) {
    await b.tree?.stop();
    await world.clock.advance(500);
  }
  b.kill();
  await world.clock.advance(200);
  await b.start();
  offer();
  await world.clock.advance(ms);
}

async function livesShortly(times: number): Promise<void> {
  for (let n = 0; n < times; n++) await lives(STABLE_MS / 2);
}

const child = (): Child => world.node("a").tree?.children.named("b") as Child;
const byType = (): Promise<unknown> => world.during(world.order("a", ONLY, {}), 1_000);

describe("C4: a child whose links break one after the other is quarantined", () => {
  test("after the fifth short life in a row, not after the fourth", async () => {
    await livesShortly(4);
    expect(child().condition).toBe("managed");
    expect(await byType()).toBe("done");
    await livesShortly(1);
    expect(child().condition).toBe("quarantined");
  });

  test("nothing is handed to it by type; by path, by id and in a for-all it is reached, and it stays managed", async () => {
    await livesShortly(5);
    expect(await byType()).toMatchObject({ code: "group.empty" });
    const { router, tree } = world.node("a");
    const named = (target: string): Promise<unknown> =>
      world.during(router?.call({ type: ONLY, extensions: { [TARGET]: target } }) as Promise<unknown>, 1_000);
    expect(await named("/a/b")).toBe("done");
    expect(await named("id-b")).toBe("done");
    expect(await world.during(world.all("a"), 1_000)).toMatchObject({ tally: { ok: 2 } });
    expect(world.node("b").tree?.upward).toMatchObject({ state: "owned", ownership: { epoch: 1 } });
    expect(tree?.card().below).toContain(`${ONLY}@1`);
    expect(await world.during(world.order("a", TREE.release, { child: "b" }))).toMatchObject({ unfinished: 0 });
  });

  test("it ends by its time", async () => {
    await livesShortly(5);
    await world.clock.advance(SIMULATED_TIMES.quarantineMs);
    expect(child().condition).toBe("managed");
    expect(await byType()).toBe("done");
  });

  test("a child that goes on to flap has one try after it", async () => {
    await livesShortly(5);
    await livesShortly(3);
    expect(child().condition).toBe("managed");
    await livesShortly(1);
    expect(child().condition).toBe("quarantined");
  });

  test("whoever approves it again ends it at once, and the count begins anew", async () => {
    await livesShortly(5);
    await world.during(world.order("a", TREE.approve, { child: "b" }), 1_000);
    expect(child().condition).toBe("managed");
    await livesShortly(4);
    expect(child().condition).toBe("managed");
    await livesShortly(1);
    expect(child().condition).toBe("quarantined");
  });

  test("a life that was ended in order, or was long, ends the row", async () => {
    await livesShortly(4);
    await lives(STABLE_MS / 2, true);
    await livesShortly(4);
    expect(child().condition).toBe("managed");
    await lives(STABLE_MS * 2);
    await livesShortly(4);
    expect(child().condition).toBe("managed");
  });

  test("one that is let go in quarantine is as good as any when it comes again", async () => {
    await livesShortly(5);
    await world.during(world.order("a", TREE.release, { child: "b" }));
    await world.during(world.adopt("a", "b"));
    expect(child().condition).toBe("managed");
  });
});
