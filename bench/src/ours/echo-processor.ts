/** The processor that our bench of calls dispatches to. */
import { defineProcessor, serve } from "@metanode/core/processor";

const echo = defineProcessor({
  name: "echo",
  concurrency: 256,
  types: { "bench.echo": { handle: (payload: unknown) => payload } },
});

await serve(echo);
