import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

/** What to start. */
export interface Launch {
  /** Programs that hold the program, in front of it. */
  readonly guards?: readonly string[];
  /** Program and arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started at all. */
  readonly error?: Error;
}

export interface ChildEvents {
  /** Bytes of stdout, in order. */
  readonly onOutput: (chunk: Buffer) => void;
  /** Whole lines of stderr. */
  readonly onStderr: (line: string) => void;
  /** stdin has taken enough of what was written for more. */
  readonly onDrain: () => void;
  /** It has ended, and everything that it wrote was given to `onOutput`. */
  readonly onExit: (exit: Exit) => void;
}

/** Longest line of stderr that is kept whole, and what is kept of its end for a dead letter. */
const MAX_LINE_CHARS = 16_384;
const TAIL_CHARS = 4_096;
/** Bytes on their way into stdin beyond which it wants no more. */
const STDIN_BYTES = 1_024 * 1_024;

/** One running program. */
export class Child {
  readonly #process: ChildProcess;
  readonly #stdin: Writable;
  readonly #stdout: Readable;
  readonly #events: ChildEvents;
  #tail = "";
  #line = "";
  #pending = 2;
  #exit: Exit | undefined;
  #isOver = false;
  #isPaused = false;
  /** What came while nobody reads: when a process exits, Node reads its pipes to their end, paused or not. */
  #held: Buffer[] = [];

  constructor({ guards = [], argv, env, cwd }: Launch, events: ChildEvents) {
    this.#events = events;
    const [program, ...args] = [...guards, ...argv] as [string, ...string[]];
    // A group of its own: what the program starts ends with it, and a terminal's Ctrl-C does not reach it.
    this.#process = spawn(program, args, { env, detached: true, stdio: "pipe", ...(cwd === undefined ? {} : { cwd }) });
    const { stdin, stdout, stderr } = this.#process as ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable };
    this.#stdin = stdin;
    this.#stdout = stdout;
    stdin.on("error", () => undefined); // it does not read any more; its exit tells why
    stdin.on("drain", () => events.onDrain());
    stdout.on("data", (chunk: Buffer) => this.#output(chunk));
    stderr.setEncoding("utf8");
    stderr.on("data", (text: string) => this.#stderr(text));
    for (const stream of [stdout, stderr]) {
      stream.on("error", () => undefined); // the pipe of a killed process
      stream.on("close", () => this.#closed());
    }
    this.#process.once("exit", (code, signal) => this.#exited({ code, signal }));
    this.#process.once("error", (error) => {
      if (this.#process.pid === undefined) this.#exited({ code: null, signal: null, error });
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The last that it wrote to stderr. */
  get stderrTail(): string {
    return this.#tail;
  }

  /** Whether stdin wants more. */
  get wantsInput(): boolean {
    return this.#stdin.writableLength < STDIN_BYTES;
  }

  write(bytes: Uint8Array): void {
    this.#stdin.write(bytes);
  }

  /** Closes stdin. */
  endInput(): void {
    this.#stdin.end();
  }

  /** Reads no more of stdout for now; the program will wait when the pipe is full. */
  pause(): void {
    this.#isPaused = true;
    this.#stdout.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.#output(chunk);
    if (this.#isPaused) return; // by who took a chunk
    this.#stdout.resume();
    this.#tellExit();
  }

  /** Asks it to end. */
  terminate(): void {
    this.#signal("SIGTERM");
  }

  /** Ends it and everything that it started, at once. */
  kill(): void {
    this.resume();
    this.#signal("SIGKILL");
  }

  #output(chunk: Buffer): void {
    if (this.#isPaused) this.#held.push(chunk);
    else this.#events.onOutput(chunk);
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined || this.#isOver) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it is gone already
    }
  }

  #stderr(text: string): void {
    this.#tail = (this.#tail + text).slice(-TAIL_CHARS);
    const parts = (this.#line + text).split("\n");
    this.#line = parts.pop() ?? "";
    for (const part of parts) this.#events.onStderr(part.slice(0, MAX_LINE_CHARS));
    if (this.#line.length > MAX_LINE_CHARS) {
      this.#events.onStderr(this.#line.slice(0, MAX_LINE_CHARS));
      this.#line = "";
    }
  }

  #closed(): void {
    this.#pending--;
    this.#tellExit();
  }

  #exited(exit: Exit): void {
    this.#exit = exit;
    if (exit.error !== undefined) this.#pending = 0;
    this.#tellExit();
  }

  /** A program's end counts once all it wrote is read: an output that is still in the pipe is an output. */
  #tellExit(): void {
    if (this.#isOver || this.#exit === undefined || this.#pending > 0 || this.#isPaused) return;
    this.#signal("SIGKILL"); // what it has started and left behind
    this.#isOver = true;
    if (this.#line !== "") this.#events.onStderr(this.#line);
    this.#events.onExit(this.#exit);
  }
}

/** `exit code 3`, `signal SIGKILL`. */
export function describeExit(exit: Exit): string {
  if (exit.error !== undefined) return `it could not be started: ${exit.error.message}`;
  if (exit.code === 127) return "exit code 127: there is no such program, or something it needs is not there";
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}
