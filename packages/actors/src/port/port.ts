import { actorError } from "../errors.ts";
import type { Address, PID, Reason } from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import { createChunker } from "../splitting/chunk.ts";
import { createKeepAlive, type KeepAlive } from "../splitting/keep-alive.ts";
import { createLineSplitter } from "../splitting/lines.ts";
import type { Splitter } from "../splitting/splitting.ts";
import { Child, launch } from "./child.ts";
import {
  MessagePortData,
  MessagePortError,
  MessagePortStart,
  MessagePortTerminate,
  MessagePortText,
  type PortInput,
  type PortMessage,
} from "./messages.ts";
import { environmentOf, type PortOptions, type ResolvedPortOptions, resolvePortOptions } from "./options.ts";

/** How long a program that has closed its stdout, or whose stdin is broken, may take to exit by itself. */
const LINGER_MS = 1_000;

/**
 * A meta-process that runs an external program and speaks with it over stdin, stdout and stderr.
 *
 *  P1. `MessagePortStart` comes first, `MessagePortTerminate` last, when the program has exited; each once.
 *  P2. What the program says until it has exited is delivered, also after the end of the port, unless a delivery failed.
 *  P3. The end of stdout ends the port with `normal`. A program that goes on is stopped; so is all that it started.
 *  P4. A program that does not read its stdin holds up the handler only, and an exit ends that.
 */
export class Port extends MetaBehaviour<PortInput> {
  readonly #options: ResolvedPortOptions;
  readonly #over = Promise.withResolvers<Reason>();
  #isOver = false;
  #isDelivering = true;
  #bytesIn = 0;
  #bytesOut = 0;
  #meta!: MetaProcess;
  #to!: Address<PortMessage, never>;
  #child: Child | undefined;
  #env: Record<string, string> = {};
  #keepAlive: KeepAlive | undefined;

  /** For {@link createPort}. */
  constructor(options: ResolvedPortOptions) {
    super();
    this.#options = options;
  }

  override async start(meta: MetaProcess): Promise<Reason> {
    const { command, args, cwd, stopSignal, killGraceMs, tag } = this.#options;
    this.#meta = meta;
    this.#to = this.#options.process ?? (meta.parent as PID<PortMessage, never>);
    this.#env = environmentOf(this.#options, meta.envList());
    const launched = launch({ command, args, cwd, env: this.#env, clock: meta.clock, stopSignal, killGraceMs });
    // No await before this: a handler that runs from now on finds the program.
    if (!(launched instanceof Child)) return launched.catch((error: Error) => error);
    this.#child = launched;
    this.#listen(launched);
    if (this.#deliver(new MessagePortStart(meta.id, tag))) this.#beginKeepAlive(launched);
    const reason = await this.#over.promise;
    const { code, signal } = await launched.gone;
    this.#attempt(new MessagePortTerminate(meta.id, tag, code ?? undefined, signal ?? undefined));
    return reason;
  }

  /** Writes to the program. Comes back when its stdin has room again. */
  override handleMessage(from: PID, message: PortInput): void | Promise<void> {
    const child = this.#child;
    if (child === undefined || this.#isOver) return;
    const { stdin } = child.process;
    const { text, data, end } = message as { text?: unknown; data?: unknown; end?: unknown };
    const bytes = typeof text === "string" ? Buffer.from(text) : data instanceof Uint8Array ? data : undefined;
    if (bytes === undefined && end !== true) {
      this.unhandled(`message from ${from}`, message);
    } else if (stdin.writableEnded) {
      this.unhandled(`input from ${from} after the end of stdin`, message);
    } else if (bytes === undefined) {
      this.#keepAlive?.stop();
      stdin.end();
    } else {
      return this.#write(child, bytes);
    }
  }

  override handleInspect(): Readonly<Record<string, string>> {
    const { tag, command, args, binary, cwd } = this.#options;
    return {
      tag,
      cmd: command,
      args: JSON.stringify(args),
      pid: this.#child === undefined ? "" : String(this.#child.pid),
      binary: String(binary !== undefined),
      "binary.read_chunk": String(binary?.chunk !== undefined),
      env: Object.keys(this.#env).sort().join(", "), // without the values: there are secrets among them
      pwd: cwd ?? process.cwd(),
      bytesIn: String(this.#bytesIn),
      bytesOut: String(this.#bytesOut),
    };
  }

  override terminate(reason: Reason): void {
    this.#end(reason);
    if (reason === "kill") this.#child?.kill();
    else this.#child?.stop();
  }

  /** The first reason wins. `lingerMs`: how long the program may take to exit by itself. */
  #end(reason: Reason, lingerMs?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#keepAlive?.stop();
    if (lingerMs === undefined) this.#child?.stop();
    else this.#child?.linger(lingerMs);
    this.#over.resolve(reason);
  }

  /** Sends to whom the port serves; where that fails the port ends. */
  #deliver(message: PortMessage): boolean {
    if (!this.#isDelivering) return false;
    const problem = this.#attempt(message);
    if (problem === undefined) return true;
    this.#isDelivering = false;
    this.#end(problem);
    return false;
  }

  #attempt(message: PortMessage): Error | undefined {
    try {
      this.#meta.send(this.#to, message);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  #listen(child: Child): void {
    const { stdin, stdout, stderr } = child.process;
    const { tag, binary, stdout: lines, stderr: errorLines } = this.#options;
    const { id } = this.#meta;
    stdin.on("error", (cause) => this.#end(failed("write to", cause), LINGER_MS));
    stdout.on("error", (cause) => this.#end(failed("read from", cause)));
    stderr.on("error", () => undefined); // like its end
    stdout.on("data", (bytes: Uint8Array) => {
      this.#bytesIn += bytes.length;
    });
    const onEnd = (): void => this.#end("normal", LINGER_MS);
    const onFault = (fault: Error): void => {
      this.#isDelivering = false;
      this.#end(fault);
    };
    if (binary === undefined) {
      const deliver = (text: string): boolean => this.#deliver(new MessagePortText(id, tag, text));
      split(stdout, { splitter: createLineSplitter(lines), deliver, onEnd, onFault });
    } else {
      const deliver = (data: Uint8Array): boolean => this.#deliver(new MessagePortData(id, tag, data));
      const splitter = binary.chunk === undefined ? whole : createChunker(binary.chunk);
      split(stdout, { splitter, deliver, onEnd, onFault });
    }
    split(stderr, {
      splitter: createLineSplitter(errorLines),
      deliver: (text) => this.#attempt(new MessagePortError(id, tag, text)) === undefined,
      onEnd: () => undefined,
      onFault: (fault) => this.#meta.report("stderr is not read any more", fault),
    });
  }

  #beginKeepAlive(child: Child): void {
    const keepAlive = this.#options.binary?.keepAlive;
    if (keepAlive === undefined) return;
    const write = (bytes: Uint8Array): void => {
      if (!child.process.stdin.writableNeedDrain) this.#put(child, bytes);
    };
    this.#keepAlive = createKeepAlive({ ...keepAlive, clock: this.#meta.clock, write });
    this.#keepAlive.start();
  }

  #put(child: Child, bytes: Uint8Array): boolean {
    this.#bytesOut += bytes.length;
    return child.process.stdin.write(bytes);
  }

  #write(child: Child, bytes: Uint8Array): void | Promise<void> {
    const { stdin } = child.process;
    if (stdin.destroyed) {
      this.#end(failed("write to", new Error("it has exited")), LINGER_MS);
      return;
    }
    this.#keepAlive?.touch();
    if (this.#put(child, bytes)) return;
    const { exiting } = this.#meta;
    return new Promise((resolve) => {
      const done = (): void => {
        stdin.off("drain", done).off("close", done);
        exiting.removeEventListener("abort", done);
        resolve();
      };
      stdin.on("drain", done).on("close", done);
      if (exiting.aborted) done();
      else exiting.addEventListener("abort", done);
    });
  }
}

/**
 * Builds a port; `spawnMeta` launches the program. A program that cannot be launched ends it with `actor.start_failed`.
 * @throws actor.incorrect – an option that is unknown or has no meaning
 */
export function createPort(options: PortOptions): Port {
  return new Port(resolvePortOptions(options));
}

interface Pieces<T> {
  readonly splitter: Splitter<T>;
  /** False ends the delivery; what comes is thrown away then. */
  readonly deliver: (piece: T) => boolean;
  readonly onEnd: () => void;
  /** The stream broke the rules. */
  readonly onFault: (fault: Error) => void;
}

function split<T>(stream: NodeJS.ReadableStream, { splitter, deliver, onEnd, onFault }: Pieces<T>): void {
  let isOpen = true;
  const take = (pieces: T[]): void => {
    for (const piece of pieces) {
      isOpen &&= deliver(piece);
      if (!isOpen) return;
    }
    if (splitter.failure === undefined) return;
    isOpen = false;
    onFault(splitter.failure);
  };
  stream.on("data", (bytes: Uint8Array) => {
    if (isOpen) take(splitter.push(bytes));
  });
  stream.on("end", () => {
    if (isOpen) take(splitter.end());
    onEnd();
  });
}

/** Gives each read as it came. */
const whole: Splitter<Uint8Array> = { push: (bytes) => [bytes], end: () => [], failure: undefined };

function failed(what: string, cause: Error): Error {
  return actorError("actor.io_failed", `could not ${what} the program: ${cause.message}`, { cause });
}
