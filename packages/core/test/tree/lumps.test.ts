import { pino } from "pino";
import { expect, test } from "vitest";
import { createNode } from "../../src/index.ts";
import type { Channel } from "../../src/link/channel.ts";
import type { Frame } from "../../src/link/frames.ts";
import { memoryTransport } from "../../src/testing/memory-transport.ts";
import { type NodeTransport, type TreeModule, treeModule } from "../../src/tree/index.ts";
import { until } from "../fixtures/until.ts";

const LUMP_MS = 20;

/** Gives what came in a while to the listener in one go, as a network does to a process that was busy: no promise resolves in between. */
function inLumps(channel: Channel): Channel {
  return {
    send: (frames) => channel.send(frames),
    close: (error) => channel.close(error),
    listen(events) {
      let waiting: (readonly Frame[])[] = [];
      const deliver = (): void => {
        const lump = waiting;
        waiting = [];
        for (const frames of lump) events.onFrames(frames);
      };
      channel.listen({
        onFrames(frames) {
          if (waiting.push(frames) === 1) setTimeout(deliver, LUMP_MS);
        },
        onClosed(error) {
          deliver();
          events.onClosed(error);
        },
      });
    },
  };
}

test("the first step of a manager may come together with its welcome: the node knows the way back to it", async () => {
  const inner = memoryTransport();
  const dialled: Channel[] = [];
  const transport: NodeTransport = {
    listen: (address, onChannel) => inner.listen(address, onChannel),
    dial(address) {
      const channel = inLumps(inner.dial(address));
      dialled.push(channel);
      return channel;
    },
  };
  const start = async (name: string): Promise<TreeModule & AsyncDisposable> => {
    const tree = treeModule({ listen: name, transport });
    const node = await createNode({ name, modules: [tree], logger: pino({ level: "silent" }) });
    return Object.assign(tree, { [Symbol.asyncDispose]: () => node.close() });
  };
  await using root = await start("root");
  await using child = await start("child");
  child.tree.join((await root.tree.token({ purpose: "join" })).text);
  await until("the child has a manager", () => child.tree.upward.state === "owned");
  const { epoch } = child.tree.upward.ownership;
  dialled.at(-1)?.close();
  await until("the child comes back", () => dialled.length > 1 && child.tree.upward.state === "owned");
  expect(child.tree.upward.ownership).toMatchObject({ epoch, owner: { dial: { address: "root" } } });
});
