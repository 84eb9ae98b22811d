import { randomUUID } from "node:crypto";
import {
  Actor,
  type Call,
  createKernel,
  createMemoryLinks,
  type Kernel,
  type PID,
  ProcessName,
  type Ref,
} from "@metanode/actors";
import { openGrpcServer } from "@metanode/actors/grpc";
import { startModule } from "../processes.ts";
import type { RemoteWorld, TwoNodes } from "../remote.ts";

type Question = Call<"seen" | number, number>;
type Target = ProcessName<number, Question>;

/** Counts messages, and says how many came since the last time. */
export class Receiver extends Actor<number, Question> {
  #seen = 0;

  override handleMessage(): void {
    this.#seen++;
  }

  override handleCall(_from: PID, _ref: Ref, request: "seen" | number): number {
    if (request !== "seen") return request;
    const seen = this.#seen;
    this.#seen = 0;
    return seen;
  }
}

type Work = Call<{ kind: "send" | "call"; count: number }, number>;

class Sender extends Actor<never, Work> {
  readonly #target: Target = new ProcessName("receiver", "receiver@bench");

  override async handleCall(_from: PID, _ref: Ref, { kind, count }: Work["request"]): Promise<number> {
    if (kind === "send") for (let i = 0; i < count; i++) this.send(this.#target, i);
    else for (let i = 0; i < count; i++) await this.call(this.#target, i);
    return this.call(this.#target, "seen", { timeoutMs: 60_000 });
  }
}

function driven(kernel: Kernel, close: () => Promise<void>): TwoNodes {
  const sender = kernel.spawn(Sender);
  const work = (kind: "send" | "call", count: number): Promise<number> =>
    kernel.call(sender, { kind, count }, { timeoutMs: 60_000 });
  return {
    send: (count) => work("send", count),
    call: async (count) => void (await work("call", count)),
    close,
  };
}

/** Our kernels, over gRPC between two processes and over a memory link in one. */
export const ourRemote: RemoteWorld = {
  async openProcesses() {
    const cookie = randomUUID();
    const connected = Promise.withResolvers<void>();
    const kernel = createKernel({
      name: "sender@bench",
      network: { cookie },
      onReport: ({ kind }) => kind === "node_up" && connected.resolve(),
    });
    const server = await openGrpcServer(kernel, { address: "127.0.0.1:0" });
    const child = await startModule(new URL("./remote-node.ts", import.meta.url), [server.address, cookie]);
    await connected.promise;
    return driven(kernel, async () => {
      await kernel.stop();
      await server.close();
      await child.stop();
    });
  },
  async openMemory() {
    const [here, there] = [createKernel({ name: "sender@bench" }), createKernel({ name: "receiver@bench" })];
    const [left, right] = createMemoryLinks();
    await Promise.all([here.connect(left), there.connect(right)]);
    there.spawn(Receiver, { name: "receiver" });
    return driven(here, async () => {
      await here.stop();
      await there.stop();
    });
  },
};
