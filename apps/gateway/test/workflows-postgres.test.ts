import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, inject, test, vi } from "vitest";
import { JSON_BODY, type TestGateway, testGateway } from "./harness.ts";

/** The PostgreSQL that the tests of a run share, or why there is none. */
async function sharedPostgres(): Promise<{ readonly url?: string; readonly reason?: string }> {
  return JSON.parse(await text(connect(inject("postgresSocket" as never) as string))) as { url?: string };
}

const at = (name: string): string => encodeURIComponent(name);

function send({ request }: TestGateway, method: string, path: string, body: object, prefer = ""): Promise<Response> {
  return request(path, { method, headers: { ...JSON_BODY, prefer }, body: JSON.stringify(body) });
}

test("two gateways on one PostgreSQL share what is declared, what is stored, and the work (skipped without PostgreSQL)", async (context) => {
  const { url, reason } = await sharedPostgres();
  if (url === undefined) return context.skip(reason);
  const options = { processors: [], nature: { databaseUrl: url } };
  await using one = await testGateway(options);
  await using other = await testGateway(options);
  const metas = [{ meta: "B:shared/a:1" }, { meta: "B:shared/b:1", states: "new|old" }];
  const relations = [
    { from: "B:shared/a:1", to: "B:shared/b:1", settings: { useUpstreamId: true, target: { addStates: ["new"] } } },
  ];
  expect((await send(one, "POST", "/workflows/apply", { metas, relations })).status).toBe(200);
  // Edits of other nodes are seen within a second.
  await vi.waitFor(async () => expect((await other.request(`/metas/${at("B:shared/b:1")}`)).status).toBe(200), {
    timeout: 15_000,
  });

  const stored = await send(other, "POST", "/instances", { meta: "B:shared/a:1", id: "7", content: "from the other" }, "wait=20");
  expect(await stored.json()).toMatchObject({ isNew: true, flow: { status: "ended", failed: 0 } });
  const again = await send(one, "POST", "/instances", { meta: "B:shared/a:1", id: "7", content: "from the other" });
  expect(again.status).toBe(200);
  expect(await one.json(`/instances/${at("B:shared/b:1|7|")}`)).toMatchObject({ version: 1, states: ["new"] });
  expect(await one.json(`/instances/${at("B:shared/a:1|7||0")}/downstream`)).toMatchObject({
    items: [{ key: "B:shared/b:1|7||1" }],
  });

  // Of two that go on from one version at the same time, both count, one after the other.
  const inputs = ["old", "new"].map((state) => ({ meta: "B:shared/b:1", id: "7", states: [state] }));
  await Promise.all([one, other].map((gateway, index) => send(gateway, "POST", "/instances", inputs[index] as object)));
  const { items } = (await one.json(`/instances/${at("B:shared/b:1|7|")}/versions`)) as {
    items: { version: number; states: string[] }[];
  };
  expect(items.map(({ version }) => version)).toEqual([3, 2, 1]);
  expect(
    items
      .slice(0, 2)
      .flatMap(({ states }) => states)
      .sort(),
  ).toEqual(["new", "old"]);
});
