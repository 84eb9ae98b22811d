import type { Consumer, ConsumerOptions, Delivery, Log, LogStream } from "../log/log.ts";
import { createMessage, type Message, type MessageInit } from "../message/message.ts";
import type { LogHarness } from "./log-harness.ts";

/** The longest that anything is waited for: only a failing test comes near. */
const PATIENCE_MS = 15_000;

/** A message that differs from all others, with `data` as its payload. */
export function messageOf(data: unknown, init: Partial<MessageInit> = {}): Message {
  return createMessage({ type: "test.happened", source: "/conformance", data, ...init });
}

/** Resolves when `holds` does; what happens outside of the log's time (a disk, a network) is given the time it takes. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Deliveries as they came. */
export class Deliveries {
  readonly all: Delivery[] = [];
  consumer!: Consumer;

  /** Payloads, in order. */
  get data(): unknown[] {
    return this.all.map((delivery) => delivery.message.data);
  }

  /** Resolves with the delivery number `count` (from 1) when it has come. */
  async number(count: number): Promise<Delivery> {
    await eventually(`delivery ${count}, there are ${this.all.length}`, () => this.all.length >= count);
    return this.all[count - 1] as Delivery;
  }

  /** Resolves with the deliveries of one payload when there are `count`. */
  async of(data: unknown, count: number): Promise<Delivery[]> {
    const found = (): Delivery[] => this.all.filter((delivery) => delivery.message.data === data);
    await eventually(`${count} deliveries of ${String(data)}, there are ${found().length}`, () => found().length >= count);
    return found();
  }
}

/** Opens a consumer that keeps its deliveries for the test, and settles each with `settle` if there is one. */
export async function consume(
  stream: LogStream,
  options: Omit<ConsumerOptions, "name" | "onDelivery"> & { name?: string } = {},
  settle?: (delivery: Delivery) => void,
): Promise<Deliveries> {
  const deliveries = new Deliveries();
  deliveries.consumer = await stream.consume({
    name: "worker",
    ...options,
    onDelivery: (delivery) => {
      deliveries.all.push(delivery);
      settle?.(delivery);
    },
  });
  return deliveries;
}

/** For {@link consume}: settles at once. */
export function ack(delivery: Delivery): void {
  delivery.ack();
}

/** Appends one message per payload, in order. */
export async function appendAll(stream: LogStream, data: readonly unknown[]): Promise<void> {
  await stream.append(data.map((one) => messageOf(one)));
}

/** Lets everything happen that happens without time. */
export async function quiet(harness: LogHarness): Promise<void> {
  await harness.tick(0);
}

/** Restarts the log. */
export async function reopened(harness: LogHarness): Promise<Log> {
  if (harness.reopen === undefined) throw new Error("this log cannot be reopened");
  return harness.reopen();
}
