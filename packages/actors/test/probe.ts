import { settle, VirtualClock } from "@metanode/core/testing";
import {
  Actor,
  createKernel,
  type Ended,
  type Kernel,
  type KernelReport,
  type PID,
  type Reason,
  type Ref,
} from "../src/index.ts";

/** An actor that a test drives from outside: `act` runs inside of it, everything that it gets is written down. */
export class Probe extends Actor<unknown, { request: unknown; answer: unknown }> {
  readonly got: unknown[] = [];
  readonly ended: Reason[] = [];
  answer: (from: PID, ref: Ref, request: unknown) => unknown = (_from, _ref, request) => request;
  react: (message: unknown) => unknown = () => undefined;

  override init(setUp?: (probe: Probe) => void): void {
    probes.set(this.self, this);
    setUp?.(this);
  }

  override handleMessage(from: PID, message: unknown): Ended {
    if (typeof message === "function") return message(this, from);
    this.got.push(message);
    return this.react(message) as Ended;
  }

  override handleCall(from: PID, ref: Ref, request: unknown): unknown {
    return this.answer(from, ref, request);
  }

  override handleEvent(event: { message: unknown }): void {
    this.got.push(event);
  }

  override handleResponse(response: unknown): void {
    this.got.push(response);
  }

  override terminate(reason: Reason): void {
    this.ended.push(reason);
  }
}

const probes = new WeakMap<PID<never, never>, Probe>();

/** The actor behind a PID. */
export function inside(pid: PID<never, never>): Probe {
  return probes.get(pid) as Probe;
}

export interface Stage {
  readonly clock: VirtualClock;
  readonly kernel: Kernel;
  readonly reports: KernelReport[];
}

/** A kernel on a virtual clock. */
export function stage(): Stage {
  const clock = new VirtualClock();
  const reports: KernelReport[] = [];
  return { clock, kernel: createKernel({ name: "test@here", clock, onReport: (report) => reports.push(report) }), reports };
}

export { settle };
