// One engine on a PostgreSQL: takes orders from the process that started it until that says `end`, or kills it.
import { openNature } from "../../src/index.ts";
import { accountOf, amountOf, chaosFlow } from "./flow.ts";

/** What goes to this process. */
export type EngineRequest = { readonly order: number } | "end";
/** What comes from it: an order is stored, or was refused. */
export type EngineAnswer = "ready" | { readonly order: number; readonly error?: string };

const [databaseUrl = "", ledger = ""] = process.argv.slice(2);
const say = (answer: EngineAnswer): void => void process.send?.(answer);
const flow = chaosFlow(ledger);
const nature = await openNature({
  databaseUrl,
  flows: [flow],
  // What a killed engine had is soon somebody else's, and waits for nothing else.
  engine: { leaseMs: 2_000, pollMs: 100, backoffMs: 20, maxAttempts: 1_000 },
  onReport: ({ kind, text }) => {
    if (kind === "failed") process.stderr.write(`${text}\n`);
  },
});

process.on("message", (request: EngineRequest) => {
  if (request === "end") {
    void nature.stop().then(() => process.exit(0));
    return;
  }
  const { order } = request;
  const input = {
    meta: flow.names.order,
    id: String(order),
    content: String(amountOf(order)),
    sysContext: { "target.id": accountOf(order) },
  };
  nature.input(input).then(
    () => say({ order }),
    (error: Error) => say({ order, error: error.message }),
  );
});
process.once("disconnect", () => process.exit(1));
say("ready");
