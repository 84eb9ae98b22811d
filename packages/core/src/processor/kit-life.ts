import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import { type Clock, systemClock, wait } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import {
  CALL_MODE,
  type CallMode,
  type FailureBody,
  type Frame,
  type Hello,
  type ReplyBody,
  type RequestBody,
} from "../link/frames.ts";
import { MAX_BATCH_BYTES } from "../link/grpc.ts";
import { newMessageId } from "../message/message.ts";
import type { ProcessorDefinition } from "./author.ts";
import { createKitMemoryLink, type KitDoor, type KitLink, openKitDoor } from "./kit-link.ts";
import { describeExit, type Exit } from "./launch.ts";
import { PASSED_ENVIRONMENT } from "./options.ts";
import { attachProcessor } from "./runtime.ts";
import { PROCESSOR_ENVIRONMENT } from "./serve.ts";

/** What is put through the kit. */
export interface KitTarget {
  readonly command: readonly string[];
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** In-process mode. */
  readonly definition: ProcessorDefinition<never, never> | ProcessorDefinition | undefined;
  readonly startTimeoutMs: number;
  readonly clock: Clock;
}

/** What one call came to, as it was seen on the wire. */
export interface KitCall {
  readonly number: number;
  readonly items: ReplyBody[];
  /** Replies and failures that came for it; a good processor gives exactly one in all. */
  readonly ends: { reply?: ReplyBody; failure?: FailureBody }[];
}

/** Payload and manner of one call. */
export interface KitRequest {
  type: string;
  version?: string;
  /** As it goes over the wire. */
  data?: Uint8Array;
  datacontenttype?: string;
  timeoutMs?: number;
  mode?: CallMode;
  window?: number;
}

export interface LifeOptions {
  /** Instead of a welcome, the link is refused with this. */
  refuseWith?: MetanodeError;
  /** Goes before the command, for instance a shell that makes noise first. */
  before?: readonly string[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Lines of standard error that are kept to explain a failure. */
const KEPT_OUTPUT_CHARS = 2_000;
/** Calls that the processor may have open with the kit. */
const KIT_CONCURRENCY = 64;

/** A JSON value as the bytes of a payload. */
export function json(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** The JSON value in the bytes of a reply; undefined when it has none. */
export function valueIn(reply: ReplyBody | undefined): unknown {
  const { data } = reply ?? {};
  return data === undefined || data === null || data.length === 0 ? undefined : (JSON.parse(decoder.decode(data)) as unknown);
}

/** One life of the processor under test, from its start to its end. */
export class KitLife {
  readonly #target: KitTarget;
  readonly #options: LifeOptions;
  readonly #calls = new Map<number, KitCall>();
  readonly #pongs = new Set<number>();
  readonly #wakers = new Set<() => void>();
  readonly secret = randomBytes(32).toString("base64url");
  #nextNumber = 1;
  #door: KitDoor | undefined;
  #cutMemory: (() => void) | undefined;
  #child: ChildProcess | undefined;
  #link: KitLink | undefined;
  #output = "";
  hello: Hello | undefined;
  exit: Exit | undefined;
  /** Links that came in, and hellos on them. */
  attachments = 0;
  isDrained = false;
  hasEnded = false;
  /** Answers what the processor asks of its node. */
  onRequest: (request: RequestBody) => Frame = () => ({
    failure: { code: "message.unknown_type", message: "the kit handles no types of its own here" },
  });
  /** Ends that came for calls that are over, and frames for calls that never were. */
  readonly strays: string[] = [];

  private constructor(target: KitTarget, options: LifeOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Starts the processor; does not wait for its greeting. */
  static async begin(target: KitTarget, options: LifeOptions = {}): Promise<KitLife> {
    const life = new KitLife(target, options);
    if (target.definition === undefined) await life.#spawn();
    else life.#attach(target.definition);
    return life;
  }

  /** Where its links come in; empty in process. */
  get address(): string {
    return this.#door?.address ?? "";
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether it can be asked more. */
  get isLiving(): boolean {
    return this.exit === undefined && !this.hasEnded && this.hello !== undefined;
  }

  /** Sends raw bytes as a batch; false where the link has none. */
  sendBytes(bytes: Uint8Array): boolean {
    this.#link?.sendBytes?.(bytes);
    return this.#link?.sendBytes !== undefined;
  }

  send(...frames: Frame[]): void {
    this.#link?.send(frames);
  }

  end(): void {
    this.#link?.end();
  }

  /** The node dies. */
  async cut(): Promise<void> {
    this.#cutMemory?.();
    await this.#door?.cut();
  }

  /** Begins a call. */
  call(request: KitRequest): KitCall {
    const { call, frame } = this.prepare(request);
    this.send(frame);
    return call;
  }

  /** Makes the frame of a call without sending it, so that several can go in one batch. */
  prepare(request: KitRequest): { call: KitCall; frame: Frame } {
    const number = this.#nextNumber++;
    const call: KitCall = { number, items: [], ends: [] };
    this.#calls.set(number, call);
    const { type, version, data, datacontenttype, timeoutMs = 0, mode = CALL_MODE.unary, window = 0 } = request;
    const message = { id: newMessageId(), source: "/conformance-kit", type, hops: 1 };
    const attributes = {
      ...(version ? { typeversion: version } : {}),
      ...(data ? { data } : {}),
      ...(datacontenttype ? { datacontenttype } : {}),
    };
    return {
      call,
      frame: { call: number, request: { message: { ...message, ...attributes }, timeoutMs, mode, window, attempt: 1 } },
    };
  }

  /** Resolves when the call has ended. @throws {MetanodeError} processor.protocol – it did not, in time. */
  async ended(call: KitCall, limitMs: number, what = "the call"): Promise<KitCall["ends"][number]> {
    await this.until(`${what} ends`, () => call.ends.length > 0, limitMs);
    return call.ends[0] ?? {};
  }

  /** A ping and its pong: whatever the processor sent before the pong has arrived by then. */
  async ping(limitMs: number): Promise<void> {
    const number = this.#nextNumber++;
    this.send({ call: number, ping: {} });
    await this.until("a ping is answered", () => this.#pongs.has(number), limitMs);
  }

  /** Waits until `condition` holds; looks when something has come, and when time is up. */
  async until(what: string, condition: () => boolean, limitMs: number): Promise<void> {
    const timeUp = new AbortController();
    const limit = wait(this.#target.clock, limitMs, timeUp.signal).then(
      () => "late" as const,
      () => "late" as const,
    );
    try {
      while (!condition()) {
        const wake = Promise.withResolvers<"news">();
        const waker = (): void => wake.resolve("news");
        this.#wakers.add(waker);
        const first = await Promise.race([wake.promise, limit]);
        this.#wakers.delete(waker);
        if (first === "late" && !condition()) throw this.failure(`within ${limitMs} ms it did not come to this: ${what}`);
      }
    } finally {
      timeUp.abort();
    }
  }

  /** Ends whatever still runs. */
  async dispose(): Promise<void> {
    this.#link?.end();
    const { pid } = this;
    if (pid !== undefined && this.exit === undefined) {
      try {
        process.kill(-pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it is gone already
      }
    }
    await this.cut();
  }

  /** An error of a check, with what the process said and how it ended. */
  failure(text: string): MetanodeError {
    const exit = this.exit === undefined ? "" : `; the process ended: ${describeExit(this.exit)}`;
    const output = this.#output === "" ? "" : `; its last words: ${this.#output.trim()}`;
    return coreError("processor.protocol", `${text}${exit}${output}`);
  }

  async #spawn(): Promise<void> {
    this.#door = await openKitDoor((link) => this.#welcome(link));
    const [program = "", ...args] = [...(this.#options.before ?? []), ...this.#target.command];
    const passed = Object.fromEntries(
      PASSED_ENVIRONMENT.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])),
    );
    const env = {
      ...passed,
      ...this.#target.env,
      [PROCESSOR_ENVIRONMENT.address]: this.#door.address,
      [PROCESSOR_ENVIRONMENT.secret]: this.secret,
      [PROCESSOR_ENVIRONMENT.name]: "conformance.0",
    };
    const child = spawn(program, args, { cwd: this.#target.cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.resume();
    child.stderr.on("data", (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString("utf8")).slice(-KEPT_OUTPUT_CHARS);
    });
    child.once("exit", (code, signal) => {
      void lastWords(child.stderr).then(() => this.#exited({ code, signal }));
    });
    child.once("error", (error) => this.#exited({ code: null, signal: null, error }));
  }

  #attach(definition: NonNullable<KitTarget["definition"]>): void {
    const { link, channel, cut } = createKitMemoryLink();
    this.#cutMemory = cut;
    this.#welcome(link);
    attachProcessor(definition, channel, { name: "conformance.0" }).then(
      ({ closed }) => closed.then((error) => this.#exited({ code: error === undefined ? 0 : 1, signal: null })),
      () => this.#exited({ code: 1, signal: null }),
    );
  }

  #exited(exit: Exit): void {
    this.exit ??= exit;
    this.#wake();
  }

  #welcome(link: KitLink): void {
    this.attachments++;
    if (this.attachments > 1) {
      link.refuse(coreError("auth.unauthenticated", "the secret of the processor is unknown, used already or expired"));
      return;
    }
    this.#link = link;
    link.onEnd = () => {
      this.hasEnded = true;
      this.#wake();
    };
    link.onFrames = (frames) => {
      for (const frame of frames) this.#receive(link, frame);
      this.#wake();
    };
  }

  #receive(link: KitLink, frame: Frame): void {
    if (this.hello === undefined) this.#greeted(link, frame);
    else if (frame.ping) link.send([{ call: frame.call ?? 0, pong: {} }]);
    else if (frame.pong) this.#pongs.add(frame.call ?? 0);
    else if (frame.drained) this.isDrained = true;
    else if (frame.request) link.send([{ ...this.onRequest(frame.request), call: frame.call ?? 0 }]);
    else if (frame.reply || frame.failure || frame.item) this.#answer(frame);
  }

  #greeted(link: KitLink, frame: Frame): void {
    if (!frame.hello) {
      link.refuse(coreError("processor.protocol", "the first frame was no hello"));
      return;
    }
    this.hello = frame.hello;
    const { refuseWith } = this.#options;
    if (refuseWith !== undefined) link.refuse(refuseWith);
    else
      link.send([
        { welcome: { version: 1, concurrency: KIT_CONCURRENCY, maxBatchBytes: MAX_BATCH_BYTES, node: "conformance-kit" } },
      ]);
  }

  #answer(frame: Frame): void {
    const number = frame.call ?? 0;
    const call = this.#calls.get(number);
    if (call === undefined) {
      this.strays.push(`an answer to call ${number}, which was never made`);
      return;
    }
    if (call.ends.length > 0)
      this.strays.push(`call ${number} had ended, and then came ${frame.item ? "an item" : "another end"}`);
    if (frame.item) call.items.push(frame.item);
    else call.ends.push({ ...(frame.reply ? { reply: frame.reply } : {}), ...(frame.failure ? { failure: frame.failure } : {}) });
  }

  #wake(): void {
    for (const waker of this.#wakers) waker();
  }
}

/** How long the output of a process that has ended is waited for: something that it started may hold the pipe open. */
const LAST_WORDS_MS = 500;

/** Resolves when everything that an ended process wrote has been read: the news of its end can be quicker than that. */
function lastWords(output: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (output.readableEnded) {
      resolve();
      return;
    }
    const timer = systemClock.setTimer(LAST_WORDS_MS, resolve);
    output.once("end", () => {
      timer.cancel();
      resolve();
    });
  });
}
