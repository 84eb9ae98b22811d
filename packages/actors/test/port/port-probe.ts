import { readdirSync, readFileSync } from "node:fs";
import { type Alias, createKernel, type Kernel, type KernelReport } from "../../src/index.ts";
import { createPort, MessagePortError, type PortInput, type PortMessage, type PortOptions } from "../../src/port/index.ts";
import { until } from "../fixtures/until.ts";
import { inside, Probe, type stage } from "../probe.ts";

/** A port with the actor that it belongs to, and what has become of them. */
export interface Ported {
  readonly kernel: Kernel;
  readonly parent: Probe;
  readonly port: Alias<PortInput, never>;
  readonly reports: KernelReport[];
  /** The messages, but for those of stderr. */
  got(): PortMessage[];
  /** What they say: a text, the text of bytes, else the kind. */
  said(): string[];
  errors(): string[];
  write(text: string): void;
  /** Waits for the last message. */
  over(): Promise<void>;
}

/** Spawns a port on a kernel with real time, or on that of `staged`. */
export function openPort(options: PortOptions, staged?: ReturnType<typeof stage>): Ported {
  const reports: KernelReport[] = staged?.reports ?? [];
  const kernel = staged?.kernel ?? createKernel({ onReport: (report) => reports.push(report) });
  const parent = inside(kernel.spawn(Probe));
  const port = parent.spawnMeta(createPort(options));
  const all = (): PortMessage[] => (parent.got as PortMessage[]).filter((message) => message.id === port);
  const got = (): PortMessage[] => all().filter((message) => !(message instanceof MessagePortError));
  return {
    kernel,
    parent,
    port,
    reports,
    got,
    said: () => got().map(say),
    errors: () => all().flatMap((message) => (message.kind === "error" ? [message.text] : [])),
    write: (text) => kernel.send(port, { text }),
    over: async () =>
      void (await until("the port is over", () => got().at(-1)?.kind === "terminate" && kernel.metas().length === 0)),
  };
}

function say(message: PortMessage): string {
  if (message.kind === "text") return message.text;
  if (message.kind === "data") return Buffer.from(message.data).toString();
  return message.kind;
}

/** The Node that runs this test. */
export const node = process.execPath;

/** The ids of the processes of this machine that have `mark` in their command line. Zombies have none. */
export function processesWith(mark: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
      } catch {
        return false; // it has just ended
      }
    })
    .map(Number);
}
