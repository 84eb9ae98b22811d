import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { EngineAnswer, EngineRequest } from "./engine-process.ts";

interface Asked {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** An engine in a process of its own, which can be killed and started again. */
export class EngineHandle {
  readonly #args: readonly string[];
  readonly #asked = new Map<number, Asked>();
  #child: ChildProcess | undefined;
  #isReady = false;

  constructor(databaseUrl: string, ledger: string) {
    this.#args = [databaseUrl, ledger];
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Resolves when it takes orders. */
  async start(): Promise<void> {
    const file = fileURLToPath(new URL("./engine-process.ts", import.meta.url));
    const child = fork(file, this.#args, { stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
    this.#child = child;
    const gone = once(child, "exit").then(() => this.#gone());
    const ready = new Promise<void>((resolve) => {
      child.on("message", (answer: EngineAnswer) => {
        if (answer === "ready") resolve();
        else this.#answered(answer);
      });
    });
    await Promise.race([ready, gone.then(() => Promise.reject(new Error("an engine ended before it was ready")))]);
    this.#isReady = true;
  }

  /** Resolves when an order is stored; rejects when it was refused, or the engine died before it said so. */
  put(order: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#asked.set(order, { resolve, reject });
      this.#child?.send({ order } satisfies EngineRequest, (error) => {
        if (error !== null) this.#answered({ order, error: error.message });
      });
    });
  }

  async kill(): Promise<void> {
    await this.#ends((child) => child.kill("SIGKILL"));
  }

  /** Stops it as a node is stopped. */
  async end(): Promise<void> {
    await this.#ends((child) => child.send("end" satisfies EngineRequest));
  }

  async #ends(how: (child: ChildProcess) => void): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#isReady = false;
    const exit = once(child, "exit");
    how(child);
    await exit;
  }

  #answered({ order, error }: { readonly order: number; readonly error?: string }): void {
    const asked = this.#asked.get(order);
    this.#asked.delete(order);
    if (error === undefined) asked?.resolve();
    else asked?.reject(new Error(error));
  }

  #gone(): void {
    this.#isReady = false;
    for (const order of [...this.#asked.keys()]) this.#answered({ order, error: "the engine died" });
  }
}
