import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import { CALL_MODE, type TypeDeclaration } from "../link/frames.ts";
import type { CallHandler } from "../link/incoming.ts";
import { DEFAULT_MAX_MESSAGE_BYTES } from "../link/session.ts";
import type { Registration, Router } from "../router/router.ts";
import { typeKey } from "./author.ts";
import { ProcessorDoor } from "./door.ts";
import type { LogLine } from "./launch.ts";
import { type ProcessorSpec, resolveProcessorSpec } from "./options.ts";
import { Pool, type PoolInfo } from "./pool.ts";
import { PROCESSOR_ENVIRONMENT } from "./serve.ts";
import type { SlotEvent } from "./slot.ts";

export interface ProcessorHostOptions {
  readonly router: Router;
  readonly clock: Clock;
  readonly node: string;
  /** The node's data folder; the socket and the list of living processes are kept in it. */
  readonly folder: string;
  /** Largest payload either way, in bytes. @default 4 MiB */
  readonly maxMessageBytes?: number;
  readonly random?: () => number;
  readonly onLine?: (line: LogLine) => void;
  readonly onEvent?: (event: SlotEvent) => void;
  /** Told of every stranger at the door. */
  readonly onRefused?: (error: unknown) => void;
}

interface Hosted {
  readonly pool: Pool;
  readonly lines: LogLine[];
  registrations: Map<string, { declaration: string; registration: Registration }>;
}

/** Lines kept per processor, for people who come late. */
const KEPT_LINES = 1_000;

/** Starts, keeps and ends the processors of one node, and makes their types known to its router. */
export class ProcessorHost {
  readonly #options: ProcessorHostOptions;
  readonly #door: ProcessorDoor;
  readonly #hosted = new Map<string, Hosted>();
  #closed = false;

  private constructor(options: ProcessorHostOptions, door: ProcessorDoor) {
    this.#options = options;
    this.#door = door;
  }

  /** Opens the door for processors and ends those that a killed node has left behind. */
  static async open(options: ProcessorHostOptions): Promise<ProcessorHost> {
    const folder = join(options.folder, "run");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    await reapOrphans(folder);
    const door = await ProcessorDoor.open({
      folder,
      node: options.node,
      clock: options.clock,
      ...(options.onRefused ? { onRefused: options.onRefused } : {}),
    });
    return new ProcessorHost(options, door);
  }

  /** The address that processors dial. */
  get address(): string {
    return this.#door.address;
  }

  /**
   * Adds a processor and starts its processes. Resolves when all are ready. When one does not come up, the processor
   * stays, is tried again, and the error is thrown: whoever does not want it then removes it.
   * @throws {MetanodeError} config.invalid, state.conflict – the name is taken; processor.start
   */
  async add(given: ProcessorSpec): Promise<void> {
    const spec = resolveProcessorSpec(given);
    if (this.#closed) throw coreError("node.closed", "the node is stopping");
    if (this.#hosted.has(spec.name)) {
      throw coreError("state.conflict", `there is a processor ${spec.name} already; replace it, or choose another name`, {
        retryable: false,
      });
    }
    const { clock, node } = this.#options;
    const lines: LogLine[] = [];
    const pool = new Pool({
      spec,
      context: {
        door: this.#door,
        clock,
        node,
        cacheFolder: join(this.#options.folder, "cache"),
        onLine: (line) => this.#line(lines, line),
      },
      handler: this.#handler(spec.name),
      maxMessageBytes: this.#options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      random: this.#options.random ?? Math.random,
      onTypes: (types) => this.#register(spec.name, types),
      onEvent: (event) => this.#event(event),
    });
    this.#hosted.set(spec.name, { pool, lines, registrations: new Map() });
    await pool.start();
  }

  /** Takes a processor out: its types become unknown, calls in flight finish, its processes end. */
  async remove(name: string): Promise<void> {
    const { pool, registrations } = this.#get(name);
    for (const { registration } of registrations.values()) registration.remove();
    registrations.clear();
    await pool.stop();
    this.#hosted.delete(name);
  }

  /**
   * Puts a new version of a processor in the place of the running one, without an error for any caller.
   * @throws {MetanodeError} processor.start – the new one does not come up; the old one then stays.
   */
  async replace(given: ProcessorSpec): Promise<void> {
    const spec = resolveProcessorSpec(given);
    await this.#get(spec.name).pool.replace(spec);
  }

  /** Brings a processor to `processes` processes. */
  async scale(name: string, processes: number): Promise<void> {
    if (!Number.isInteger(processes) || processes < 1 || processes > 1_024) {
      throw coreError("usage.invalid", `${processes} processes were asked for, expected a whole number from 1 to 1024`);
    }
    await this.#get(name).pool.scale(processes);
  }

  /** Restarts each process in turn, its calls finished first; lifts a quarantine. */
  async restart(name: string): Promise<void> {
    await this.#get(name).pool.restart();
  }

  /** What is hosted, by name. */
  list(): PoolInfo[] {
    return [...this.#hosted.values()].map(({ pool }) => pool.info).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws {MetanodeError} resource.not_found */
  info(name: string): PoolInfo {
    return this.#get(name).pool.info;
  }

  /** The last lines that the processes of a processor wrote, oldest first; at most 1,000. */
  logs(name: string): readonly LogLine[] {
    return this.#get(name).lines;
  }

  /** Drains and ends every processor, then closes the door. Idempotent. */
  async close(graceMs?: number): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#hosted.values()].map(({ pool }) => pool.stop(graceMs)));
    await this.#door.close();
    this.#recordPids();
  }

  #get(name: string): Hosted {
    const hosted = this.#hosted.get(name);
    if (hosted) return hosted;
    throw coreError(
      "resource.not_found",
      `there is no processor ${name}; there are ${[...this.#hosted.keys()].join(", ") || "none"}`,
    );
  }

  /** What a processor asks of its node goes through the same router as everything else. */
  #handler(name: string): CallHandler {
    const { router } = this.#options;
    return (message, context) => {
      const sent = { ...message, extensions: { ...message.extensions, sentby: name } };
      const options = { signal: context.signal };
      if (context.mode === CALL_MODE.stream) return router.stream(sent, options);
      if (context.mode === CALL_MODE.send) return router.send(sent).then(() => undefined);
      if (context.mode === CALL_MODE.cast) return void router.cast(sent);
      return router.call(sent, options);
    };
  }

  #register(name: string, types: readonly TypeDeclaration[]): void {
    const hosted = this.#hosted.get(name);
    if (hosted === undefined || this.#closed) return;
    const before = hosted.registrations;
    hosted.registrations = new Map();
    for (const declared of types) {
      const key = typeKey(declared.type, declared.version || "1");
      const declaration = JSON.stringify(declared);
      const old = before.get(key);
      before.delete(key);
      if (old?.declaration === declaration) {
        hosted.registrations.set(key, old);
        continue;
      }
      // Out and in within one turn: no message can come between.
      old?.registration.remove();
      try {
        const registration = this.#options.router.register({ ...routeOf(declared), member: hosted.pool });
        hosted.registrations.set(key, { declaration, registration });
      } catch (error) {
        this.#event({
          slot: name,
          kind: "crashed",
          text: `its type ${key} was refused: ${(error as Error).message}`,
          pid: undefined,
        });
      }
    }
    for (const { registration } of before.values()) registration.remove();
  }

  #line(lines: LogLine[], line: LogLine): void {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.splice(0, lines.length - KEPT_LINES);
    this.#options.onLine?.(line);
  }

  #event(event: SlotEvent): void {
    if (event.kind !== "quarantined" && event.kind !== "killed") this.#recordPids();
    this.#options.onEvent?.(event);
  }

  #recordPids(): void {
    const pids = [...this.#hosted.values()]
      .filter(({ pool }) => pool.spec.definition === undefined)
      .flatMap(({ pool }) => pool.info.processes)
      .flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
    writeLiving(join(this.#options.folder, "run"), { address: this.address, pids });
  }
}

function routeOf(declared: TypeDeclaration): Omit<Parameters<Router["register"]>[0], "member"> {
  return {
    type: declared.type,
    version: declared.version || "1",
    description: declared.description ?? "",
    streaming: declared.streaming ?? false,
    ordered: declared.ordered ?? false,
    ...(declared.inputSchema ? { inputSchema: JSON.parse(declared.inputSchema) as unknown } : {}),
    ...(declared.outputSchema ? { outputSchema: JSON.parse(declared.outputSchema) as unknown } : {}),
  };
}

const PID_FILE = "processors.json";

/** At once and as a whole: the list is for the moment after a crash, which may come in the middle of anything. */
/** The processes that live now, for a node that comes after a crash. */
interface Living {
  /** Where they dial: with it they are told apart from others that have got their pids since. */
  readonly address: string;
  readonly pids: readonly number[];
}

function writeLiving(folder: string, living: Living): void {
  const file = join(folder, PID_FILE);
  try {
    if (living.pids.length === 0) rmSync(file, { force: true });
    else {
      writeFileSync(`${file}.new`, JSON.stringify(living));
      renameSync(`${file}.new`, file);
    }
  } catch {
    // A list for after a crash: a node whose disk is full works on without it.
  }
}

/**
 * Processes end by themselves when their node is gone (M-25); one that hangs in an endless loop cannot. The next node
 * on the same data folder ends it. A process counts as ours only if its environment names the same socket: pids are used again.
 */
async function reapOrphans(folder: string): Promise<void> {
  let living: Living;
  try {
    living = JSON.parse(await readFile(join(folder, PID_FILE), "utf8")) as Living;
  } catch {
    return; // no list: the last node ended in order
  }
  for (const pid of living.pids ?? []) {
    try {
      const environment = await readFile(`/proc/${pid}/environ`, "utf8");
      const variables = environment.split("\0");
      if (variables.includes(`${PROCESSOR_ENVIRONMENT.address}=${living.address}`)) process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended meanwhile, or the system has no /proc.
    }
  }
}
