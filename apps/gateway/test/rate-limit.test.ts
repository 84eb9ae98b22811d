import { describe, expect, test } from "vitest";
import { Buckets } from "../src/http/rate-limit.ts";
import { testGateway } from "./harness.ts";

describe("a bound on requests", () => {
  test("lets a second's worth through at once, then as many a second, each key by itself", () => {
    let nowMs = 0;
    const buckets = new Buckets(4, () => nowMs);
    const take = (key = "ann"): { current: number; ttl: number } => {
      let found = { current: 0, ttl: 0 };
      buckets.take(key, (_error, result) => {
        found = result;
      });
      return found;
    };
    expect(Array.from({ length: 5 }, () => take().current)).toEqual([1, 2, 3, 4, 5]);
    expect(take("bob").current).toBe(1);
    expect(take()).toEqual({ current: 5, ttl: 250 });
    nowMs = 250;
    expect([take().current, take().current]).toEqual([4, 5]);
    nowMs = 100_000;
    expect(Array.from({ length: 5 }, () => take().current)).toEqual([1, 2, 3, 4, 5]);
    for (let i = 0; i < 25_000; i++) expect(take(`at ${i}`).current).toBe(1);
  });

  test("says in headers what is left", async () => {
    await using it = await testGateway({ processors: [], listen: { port: 0, rateLimit: 3 } });
    const headersOf = ({ headers }: Response): (string | null)[] =>
      ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"].map((name) => headers.get(name));
    expect(headersOf(await it.request("/whoami"))).toEqual(["3", "2", "1", null]);
    const more = await Promise.all(Array.from({ length: 12 }, () => it.request("/whoami")));
    const refused = more.find(({ status }) => status === 429);
    expect(headersOf(refused as Response)).toEqual(["3", "0", "1", "1"]);
    await using free = await testGateway({ processors: [] });
    expect(headersOf(await free.request("/whoami"))).toEqual([null, null, null, null]);
  });

  test("stands in the OpenAPI document", async () => {
    await using it = await testGateway({ processors: [] });
    const { paths, components } = (await it.json("/openapi.json")) as {
      paths: Record<string, { get: { responses: Record<string, { headers?: object }> } }>;
      components: { headers: object };
    };
    const names = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"];
    expect(Object.keys(paths["/api/v1/whoami"]?.get.responses["429"]?.headers ?? {})).toEqual(names);
    expect(Object.keys(components.headers)).toEqual(names);
  });
});
