import type { Invocation } from "./invocation.ts";
import { nowMs, pause } from "./time.ts";

/** An earlier look, to make rates from. */
export interface Look<T> {
  readonly value: T;
  readonly atMs: number;
}

/** What a command shows, once or again and again. */
export interface View<T> {
  readonly look: (last: Look<T> | undefined) => Promise<T>;
  readonly text: (value: T) => string;
  /** Talk that follows when it is shown once. */
  readonly after?: (value: T) => void;
}

const DEFAULT_INTERVAL_MS = 2_000;
/** To the top left and everything gone, as `clear` does. */
const CLEAR = "\u001b[H\u001b[2J\u001b[3J";

/**
 * Shows something once, or with `--watch` until interrupted: a terminal is drawn anew, anything else gets one table, one line
 * of JSON or one YAML document for each look.
 */
export async function showOrWatch<T>(invocation: Invocation, { look, text, after }: View<T>): Promise<void> {
  const { output } = invocation;
  const everyMs = invocation.number("watch");
  if (everyMs === undefined && !invocation.has("watch")) {
    const value = await look(undefined);
    await output.show(value, () => text(value));
    after?.(value);
    return;
  }
  const intervalMs = everyMs ?? invocation.number("interval") ?? DEFAULT_INTERVAL_MS;
  let last: Look<T> | undefined;
  for (;;) {
    const value: T = await look(last);
    last = { value, atMs: nowMs() };
    await output.item(value, () => (output.isTerminal ? `${CLEAR}${text(value)}` : `${text(value)}\n`));
    await pause(intervalMs);
  }
}

/** One page of a list, which says below the table how to go on. */
export async function showPage<T extends { readonly next?: string }>(
  invocation: Invocation,
  view: Pick<View<T>, "look" | "text">,
): Promise<void> {
  const { output } = invocation;
  const after = ({ next }: T): void => {
    if (output.format === "table" && next !== undefined) output.talk(`there are more: --cursor ${next}`);
  };
  await showOrWatch(invocation, { ...view, after });
}
