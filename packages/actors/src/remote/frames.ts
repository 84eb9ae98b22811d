/** What a frame of a batch is; five bits of its first byte. */
export const FRAME = {
  send: 1,
  call: 2,
  answer: 3,
  exit: 4,
  watch: 5,
  subscribe: 6,
  unwatch: 7,
  ended: 8,
  event: 9,
  spawn: 10,
  application: 11,
  ping: 12,
  pong: 13,
} as const;

/** The kind in the first byte of a frame. */
export const KIND_MASK = 0x1f;
/** Where the priority stands in it. */
export const PRIORITY_SHIFT = 5;
/** Set where the sender wants to know whether it arrived; in an answer, where whoever answers does. */
export const IMPORTANT = 0x80;

/** Priorities by their numbers on the wire. */
export const PRIORITIES = ["normal", "high", "max"] as const;

/** What an answer holds. */
export const ANSWER = { value: 0, error: 1, nothing: 2 } as const;
