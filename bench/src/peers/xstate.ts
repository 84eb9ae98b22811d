import type { ActorWorld } from "../actors.ts";
import { importPeer } from "../contender.ts";
import { Handled, nextTurn, tallied } from "../tally.ts";

interface Reference {
  start(): Reference;
  stop(): void;
  send(event: Event): void;
}
/** What is used of XState. */
interface XState {
  createActor(logic: object, options?: { parent: Reference }): Reference;
  fromTransition(transition: (state: null, event: Event) => null, initial: null): object;
  fromCallback(begin: (scope: { receive: (listener: (event: Event) => void) => void; self: Reference }) => void): object;
}

type Done = (seen: number) => void;
type Event =
  | { type: "count" }
  | { type: "told"; done: Done }
  | { type: "ask"; value: number; from: Reference }
  | { type: "answer"; value: number }
  | { type: "send" | "call"; count: number; done: Done };

/** Actors of one XState system: transition functions without a state, and callback actors where something has to be begun. */
export async function openXstate(): Promise<ActorWorld> {
  const xstate = await importPeer<XState>("xstate");
  const { createActor, fromTransition } = xstate;
  const root = createActor(fromTransition(() => null, null)).start();
  const spawnMany = (count: number, handle: () => void): Reference[] => {
    const logic = fromTransition(() => {
      handle();
      return null;
    }, null);
    return Array.from({ length: count }, () => createActor(logic, { parent: root }).start());
  };
  const stopAll = (made: Reference[]) => async (): Promise<void> => {
    for (const reference of made) stopChild(reference);
    await nextTurn();
  };
  const senders: Reference[] = [];
  const sender = (index: number): Reference => {
    senders[index] ??= spawnPair(xstate, root);
    return senders[index];
  };
  return {
    send: (pairs, count) =>
      tallied(pairs, count, (done) => {
        for (let i = 0; i < pairs; i++) sender(i).send({ type: "send", count, done });
      }),
    call: (count) => tallied(1, count, (done) => sender(0).send({ type: "call", count, done })),
    spawn: async (count) => ({ end: stopAll(spawnMany(count, () => undefined)) }),
    async subscribe(count) {
      const handled = new Handled(count);
      const made = spawnMany(count, () => handled.count());
      return {
        publish: () =>
          handled.all(() => {
            for (const reference of made) reference.send({ type: "count" });
          }),
        end: stopAll(made),
      };
    },
    note: "transition and callback actors of one system; a call is an event that names whom to answer; publishing is a send to each",
    async close() {
      root.stop();
    },
  };
}

/** A receiver and its sender, which is given back. */
function spawnPair({ createActor, fromTransition, fromCallback }: XState, root: Reference): Reference {
  let seen = 0;
  const receive = (_state: null, event: Event): null => {
    if (event.type === "count") seen += 1;
    else if (event.type === "ask") event.from.send({ type: "answer", value: event.value });
    else if (event.type === "told") {
      event.done(seen);
      seen = 0;
    }
    return null;
  };
  const receiver = createActor(fromTransition(receive, null), { parent: root }).start();
  const logic = fromCallback(({ receive: onEvent, self }) => {
    let asked = { count: 0, done: (_seen: number): void => undefined };
    onEvent((event) => {
      if (event.type === "send") {
        for (let i = 0; i < event.count; i++) receiver.send({ type: "count" });
        receiver.send({ type: "told", done: event.done });
      } else if (event.type === "call") {
        asked = event;
        receiver.send({ type: "ask", value: 1, from: self });
      } else if (event.type === "answer") {
        if (event.value === asked.count) asked.done(event.value);
        else receiver.send({ type: "ask", value: event.value + 1, from: self });
      }
    });
  });
  return createActor(logic, { parent: root }).start();
}

/** XState lets nobody but its parent stop a child, and a parent that is no machine has no means to. */
function stopChild(reference: Reference): void {
  (reference as unknown as { _stop(): void })._stop();
}
