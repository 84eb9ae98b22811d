import { threadId } from "node:worker_threads";
import { many } from "../../src/index.ts";

/** What the tests run in threads. */
export function square(number: number): number {
  return number * number;
}

export function where(): number {
  return threadId;
}

export function several(number: number): unknown {
  return number === 0 ? undefined : many([number, -number]);
}

let deaths = 0;
export function fragile(number: number): number {
  if (number === 3 && deaths++ === 0) process.exit(1);
  if (number === 4) throw new TypeError("four is not to my taste");
  return number;
}

export function hanging(number: number): number {
  while (number === 3);
  return number;
}
