import type { ActorWorld } from "../actors.ts";
import { importPeer } from "../contender.ts";
import { Handled, nextTurn, tallied } from "../tally.ts";

type Reference = object;
/** What is used of nact. */
interface Nact {
  start(): Reference;
  stop(reference: Reference): void;
  spawnStateless(parent: Reference, handle: (message: never) => unknown, name?: string): Reference;
  dispatch(reference: Reference, message: unknown): void;
  query(reference: Reference, message: (sender: Reference) => unknown, timeoutMs: number): Promise<unknown>;
}

type Done = (seen: number) => void;
type Received = { value: number } | { done: Done } | { value: number; sender: Reference };
type Work = { kind: "send" | "call"; count: number; done: Done };

/** Stateless actors of one nact system. */
export async function openNact(): Promise<ActorWorld> {
  const nact = await importPeer<Nact>("nact");
  const { start, stop, spawnStateless, dispatch } = nact;
  const system = start();
  let named = 0;
  // Named, because the names that it draws at random collide among so many.
  const spawnMany = (count: number, handle: () => void): Reference[] =>
    Array.from({ length: count }, () => spawnStateless(system, handle, `many-${++named}`));
  const stopAll = (made: Reference[]) => async (): Promise<void> => {
    for (const reference of made) stop(reference);
    await nextTurn();
  };
  const senders: Reference[] = [];
  const sender = (index: number): Reference => {
    senders[index] ??= spawnPair(nact, system);
    return senders[index];
  };
  return {
    send: (pairs, count) =>
      tallied(pairs, count, (done) => {
        for (let i = 0; i < pairs; i++) dispatch(sender(i), { kind: "send", count, done } satisfies Work);
      }),
    call: (count) => tallied(1, count, (done) => dispatch(sender(0), { kind: "call", count, done } satisfies Work)),
    spawn: async (count) => ({ end: stopAll(spawnMany(count, () => undefined)) }),
    async subscribe(count) {
      const handled = new Handled(count);
      const made = spawnMany(count, () => handled.count());
      const news = { text: "something new" };
      return {
        publish: () =>
          handled.all(() => {
            for (const reference of made) dispatch(reference, news);
          }),
        end: stopAll(made),
      };
    },
    note: "stateless actors; a call makes an actor for its answer; publishing is a dispatch to each",
    async close() {
      stop(system);
    },
  };
}

/** A receiver and its sender, which is given back. */
function spawnPair({ spawnStateless, dispatch, query }: Nact, system: Reference): Reference {
  let seen = 0;
  const receiver = spawnStateless(system, (message: Received) => {
    if ("done" in message) {
      message.done(seen);
      seen = 0;
    } else if ("sender" in message) dispatch(message.sender, message.value);
    else seen += 1;
  });
  return spawnStateless(system, async ({ kind, count, done }: Work) => {
    if (kind === "send") {
      for (let value = 0; value < count; value++) dispatch(receiver, { value });
      dispatch(receiver, { done });
      return;
    }
    for (let value = 0; value < count; value++) await query(receiver, (asking) => ({ value, sender: asking }), 30_000);
    done(count);
  });
}
