import { type ActorWorld, lost } from "../actors.ts";
import { importPeer } from "../contender.ts";

type Reference = object;
/** What is used of nact. */
interface Nact {
  start(): Reference;
  stop(reference: Reference): void;
  spawnStateless(parent: Reference, handle: (message: never) => unknown, name?: string): Reference;
  dispatch(reference: Reference, message: unknown): void;
  query(reference: Reference, message: (sender: Reference) => unknown, timeoutMs: number): Promise<unknown>;
}

type Received = { value: number } | { done: (seen: number) => void } | { value: number; sender: Reference };
type Work = { kind: "send" | "call"; count: number; done: (seen: number) => void };

/** Two stateless actors of one nact system. */
export async function openNact(): Promise<ActorWorld> {
  const { start, stop, spawnStateless, dispatch, query } = await importPeer<Nact>("nact");
  const system = start();
  let seen = 0;
  let named = 0;
  const receiver = spawnStateless(system, (message: Received) => {
    if ("done" in message) {
      message.done(seen);
      seen = 0;
    } else if ("sender" in message) dispatch(message.sender, message.value);
    else seen += 1;
  });
  const sender = spawnStateless(system, async ({ kind, count, done }: Work) => {
    if (kind === "send") {
      for (let value = 0; value < count; value++) dispatch(receiver, { value });
      dispatch(receiver, { done });
      return;
    }
    for (let value = 0; value < count; value++) await query(receiver, (asking) => ({ value, sender: asking }), 30_000);
    done(count);
  });
  const work = (kind: Work["kind"], count: number): Promise<void> =>
    new Promise((resolve, reject) => {
      dispatch(sender, { kind, count, done: (seenOf: number) => (seenOf === count ? resolve() : reject(lost(seenOf, count))) });
    });
  return {
    send: (count) => work("send", count),
    call: (count) => work("call", count),
    async spawn(count) {
      // Named, because the names that it draws at random collide among so many.
      const made = Array.from({ length: count }, () => spawnStateless(system, () => undefined, `idle-${++named}`));
      return async () => {
        for (const reference of made) stop(reference);
        await new Promise((resolve) => setImmediate(resolve));
      };
    },
    note: "stateless actors; a call makes an actor for its answer",
    async close() {
      stop(system);
    },
  };
}
