import { Actor, createKernel, type MessageExit, type PID, type Ref } from "../../src/index.ts";
import { dialGrpc } from "../../src/remote/grpc.ts";

/*
 * A kernel in a process of its own: `node child.ts <name> <address> <cookie>`. It dials the test's kernel and lets itself be
 * driven by mail.
 */
class Echo extends Actor<unknown, { request: unknown; answer: unknown }> {
  #seen: unknown[] = [];

  override handleMessage(_from: PID, message: unknown): void {
    this.#seen.push(message);
  }

  override handleCall(_from: PID, _ref: Ref, request: unknown): unknown {
    return request === "seen" ? this.#seen.splice(0) : request;
  }
}

/** Ends at once. */
class Doomed extends Actor<MessageExit> {
  override init(): void {
    this.sendAfter(this.self as PID, "end", 0);
  }

  override handleMessage(): "shutdown" {
    return "shutdown";
  }
}

const [name = "", address = "", cookie = ""] = process.argv.slice(2);
const kernel = createKernel({ name, network: { cookie } });
kernel.spawn(Echo, { name: "echo" });
kernel.enableSpawn("echo", Echo);
kernel.enableSpawn("doomed", Doomed);
await kernel.connect(await dialGrpc(address));
process.stdin.resume();
// It ends by itself when its sockets are closed.
process.stdin.once("end", () => void kernel.stop());
