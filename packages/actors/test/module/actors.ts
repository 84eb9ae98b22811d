import { type Message, MetanodeError } from "@metanode/core";
import { Actor, type Call, later, MetaBehaviour, type MetaProcess, type PID, type Ref, Terminate } from "../../src/index.ts";
import { following, nodeRouter } from "../../src/module/index.ts";

/** Adds up, and knows some ways to fail. */
export class Tally extends Actor<Message, Call<Message, unknown>> {
  total = 0;
  readonly got: Message[] = [];
  release: (() => void) | undefined;

  override init(start = 0): void {
    this.total = start;
    tallies.push(this);
  }

  override handleMessage(_from: PID, message: Message): void {
    this.got.push(message);
    this.total += Number(message.data);
  }

  override handleCall(from: PID, ref: Ref, message: Message): unknown {
    this.got.push(message);
    switch (message.type) {
      case "tally.refuse":
        this.respondError(from, ref, new MetanodeError("message.schema", "not this one", { details: { path: "/data" } }));
        return later;
      case "tally.crash":
        throw new Error("it broke");
      case "tally.leave":
        return new Terminate("normal", "goodbye");
      case "tally.never":
        return later;
      case "tally.wait":
        return new Promise((resolve) => {
          this.release = () => resolve("late");
        });
      default:
        return this.total;
    }
  }
}

/** Every tally that was made, the last one last. */
export const tallies: Tally[] = [];

export function lastTally(): Tally {
  return tallies.at(-1) as Tally;
}

/** Asks the node on behalf of whoever asks it. */
export class Asker extends Actor<() => void, Call<Message, unknown>> {
  override handleMessage(_from: PID, job: () => void): void {
    job();
  }

  override handleCall(_from: PID, _ref: Ref, message: Message): unknown {
    if (message.type === "ask.meta") return this.spawnMeta(new Sender());
    return this.call(nodeRouter, { call: following(message, { type: "echo.message", data: message.data }) });
  }
}

/** Sends into the node as soon as it lives. */
class Sender extends MetaBehaviour {
  override start(meta: MetaProcess): void {
    meta.send(nodeRouter, { cast: { type: "echo.message", data: "from a meta-process" } });
  }
  override terminate(): void {
    // It has ended by then.
  }
}
