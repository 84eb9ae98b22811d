/** Load on a node, from within its process, and what came of it. Not a test. */
import { asMetanodeError } from "../../src/errors.ts";

/** Either so many callers, each with one call at a time, or so many calls a second whatever becomes of them. */
export interface Offer {
  readonly callers?: number;
  readonly perSecond?: number;
  /** Before anything is counted, and for how long it is counted then. */
  readonly warmMs: number;
  readonly forMs: number;
}

/** What came of the calls that ended while it was counted. */
export interface Offered {
  /** Calls a second that were begun. */
  readonly rate: number;
  /** Calls a second that were answered. */
  readonly goodput: number;
  /** By code, how many failed. */
  readonly codes: Readonly<Record<string, number>>;
  /** The most calls that were open at a time, from the beginning. */
  readonly mostOpen: number;
}

const TICK_MS = 5;

/** Makes calls until the time is over, and waits for the last of them. */
export async function offerLoad(call: () => Promise<unknown>, offer: Offer): Promise<Offered> {
  const startMs = performance.now() + offer.warmMs;
  const endMs = startMs + offer.forMs;
  const codes: Record<string, number> = {};
  const open = new Set<Promise<void>>();
  let begun = 0;
  let answered = 0;
  let mostOpen = 0;
  const counts = (): boolean => performance.now() >= startMs && performance.now() < endMs;
  const one = (): Promise<void> => {
    if (counts()) begun++;
    const ended: Promise<void> = call()
      .then(
        () => {
          if (counts()) answered++;
        },
        (error: unknown) => {
          const { code } = asMetanodeError(error);
          if (counts()) codes[code] = (codes[code] ?? 0) + 1;
        },
      )
      .finally(() => open.delete(ended));
    open.add(ended);
    mostOpen = Math.max(mostOpen, open.size);
    return ended;
  };
  const { callers = 0, perSecond = 0 } = offer;
  const closed = Array.from({ length: callers }, async () => {
    while (performance.now() < endMs) await one();
  });
  let lastMs = performance.now();
  for (let owed = 0; performance.now() < endMs; ) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    const nowMs = performance.now();
    owed += ((nowMs - lastMs) / 1_000) * perSecond;
    lastMs = nowMs;
    for (; owed >= 1; owed--) void one();
  }
  await Promise.all([...closed, ...open]);
  const seconds = offer.forMs / 1_000;
  return { rate: begun / seconds, goodput: answered / seconds, codes, mostOpen };
}
