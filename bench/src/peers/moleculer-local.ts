import type { ActorWorld } from "../actors.ts";
import { lost } from "../actors.ts";
import { createBroker } from "./moleculer.ts";

interface Context {
  readonly params: { readonly value: number };
  call(action: string, params: unknown): Promise<unknown>;
}

/** Two services of one broker without a transporter. */
export async function openMoleculerLocal(): Promise<ActorWorld> {
  const broker = await createBroker("local");
  broker.createService({ name: "callee", actions: { echo: ({ params }: Context) => params.value } });
  const callAll = async (context: Context): Promise<number> => {
    let answered = 0;
    for (let value = 0; value < context.params.value; value++) {
      if ((await context.call("callee.echo", { value })) === value) answered++;
    }
    return answered;
  };
  broker.createService({ name: "caller", actions: { callAll } });
  await broker.start();
  return {
    async call(count) {
      const answered = await broker.call("caller.callAll", { value: count });
      if (answered !== count) throw lost(Number(answered), count);
      return {};
    },
    note: "local calls between two services of one broker",
    close: () => broker.stop(),
  };
}
