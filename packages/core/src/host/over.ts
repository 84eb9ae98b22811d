import type { Clock } from "../clock.ts";
import { outOfTime, withdrawn } from "../member/outcome.ts";
import type { CallContext } from "../message/context.ts";

/**
 * Calls back once when nobody waits for the answer any more: the call was withdrawn, or its deadline is over. A stream that
 * waits for something is told by this alone. The error says which of the two. Returns how to be called back no more.
 */
export function onceOver(context: CallContext, clock: Clock, callback: (error: Error) => void): () => void {
  const { signal, deadlineMs } = context;
  const leave = (): void => {
    signal?.removeEventListener("abort", over);
    timer?.cancel();
  };
  const end = (error: Error): void => {
    leave();
    callback(error);
  };
  const over = (): void => end(withdrawn(signal?.reason));
  const timer =
    deadlineMs < Number.MAX_SAFE_INTEGER
      ? clock.setTimer(deadlineMs - clock.now(), () => end(outOfTime("host", deadlineMs)))
      : undefined;
  if (signal?.aborted) over();
  else signal?.addEventListener("abort", over, { once: true });
  return leave;
}
