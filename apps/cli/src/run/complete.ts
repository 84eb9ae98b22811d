import { errorTable } from "@metanode/core/errors";
import "@metanode/streaming/errors"; // its codes
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import { readContexts } from "../contexts.ts";
import type { Invocation } from "../invocation.ts";

/** How long somebody who pressed Tab waits for the node. */
const DEADLINE_MS = 300;

/** Prints the names of one kind, one per line, for completion scripts. Whatever goes wrong, there are just no names. */
export async function run(invocation: Invocation): Promise<void> {
  const names = await namesOf(invocation).catch((error: Error) => {
    invocation.output.detail(error.message);
    return [];
  });
  for (const name of new Set(names)) invocation.output.line(name);
}

async function namesOf(invocation: Invocation): Promise<string[]> {
  switch (invocation.arg(0)) {
    case "processor": {
      const { items } = await ask<{ name: string }>(invocation, paths.processors);
      return items.map(({ name }) => name);
    }
    case "actor": {
      const { items } = await ask<{ name?: string }>(invocation, paths.actors, { limit: 1_000 });
      return items.flatMap(({ name }) => name ?? []);
    }
    case "meta": {
      const { items } = await ask<{ meta: string }>(invocation, paths.metas);
      return items.map(({ meta }) => meta);
    }
    case "type": {
      const { items } = await ask<{ type: string }>(invocation, paths.types);
      return items.map(({ type }) => type);
    }
    case "context":
      return Object.keys((await readContexts()).contexts);
    default:
      await import("@metanode/nature/errors");
      return [...errorTable().keys()];
  }
}

async function ask<T>(invocation: Invocation, path: string, query = {}): Promise<Items<T>> {
  const client = await invocation.client();
  return client.json<Items<T>>({ path, query, timeoutMs: DEADLINE_MS });
}
