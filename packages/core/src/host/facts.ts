import { readFile, statfs } from "node:fs/promises";
import * as os from "node:os";
import { hostId } from "../node/host-id.ts";
import { type ProcessFacts, processesNamed } from "./processes.ts";

/** What a host is and how it does, at one moment. */
export interface HostFacts {
  /** The same for every node on this host, and after a restart; tells nothing else about it. */
  readonly hostId: string;
  readonly hostname: string;
  /** As the kernel calls itself: `linux`, `darwin`. */
  readonly os: string;
  readonly release: string;
  readonly arch: string;
  readonly uptimeMs: number;
  readonly cpus: { readonly count: number; readonly model: string };
  /** Over 1, 5 and 15 minutes; zeros where the system has none. */
  readonly load: readonly [number, number, number];
  readonly memory: {
    readonly totalBytes: number;
    readonly freeBytes: number;
    /** What programs can have without swapping. */
    readonly availableBytes: number;
    /** What the node's own group of processes may use, where that is less. */
    readonly limitBytes?: number;
  };
  readonly disks: readonly DiskFacts[];
  /** Those that the options name; none where the system has no /proc. */
  readonly processes: readonly ProcessFacts[];
}

export interface DiskFacts {
  /** A folder on it. */
  readonly path: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** What the node's user may still fill. */
  readonly availableBytes: number;
}

/** What the facts of a host are about besides the host itself. */
export interface FactsScope {
  readonly folder: string;
  /** Names of programs. */
  readonly processes: readonly string[];
}

export async function readFacts({ folder, processes }: FactsScope): Promise<HostFacts> {
  const cpus = os.cpus();
  const [oneMinute = 0, fiveMinutes = 0, quarter = 0] = os.loadavg();
  const [memory, disks, found] = await Promise.all([
    memoryFacts(),
    Promise.all([...new Set(["/", folder])].map((path) => diskFacts(path))),
    processesNamed(processes),
  ]);
  return {
    hostId: hostId(),
    hostname: os.hostname(),
    os: os.platform(),
    release: os.release(),
    arch: os.arch(),
    uptimeMs: Math.round(os.uptime() * 1_000),
    cpus: { count: cpus.length, model: cpus[0]?.model.trim() ?? "unknown" },
    load: [oneMinute, fiveMinutes, quarter],
    memory,
    disks,
    processes: found,
  };
}

async function memoryFacts(): Promise<HostFacts["memory"]> {
  const totalBytes = os.totalmem();
  const freeBytes = os.freemem();
  const limitBytes = process.constrainedMemory();
  const info = await readFile("/proc/meminfo", "utf8").catch(() => "");
  const kilobytes = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(info)?.[1];
    return found === undefined ? undefined : Number(found) * 1_024;
  };
  return {
    totalBytes,
    freeBytes: kilobytes("MemFree") ?? freeBytes,
    availableBytes: kilobytes("MemAvailable") ?? freeBytes,
    ...(limitBytes > 0 && limitBytes < totalBytes ? { limitBytes } : {}),
  };
}

async function diskFacts(path: string): Promise<DiskFacts> {
  const { bsize, blocks, bfree, bavail } = await statfs(path);
  return { path, totalBytes: bsize * blocks, freeBytes: bsize * bfree, availableBytes: bsize * bavail };
}
