/**
 * How values stand on the wire: one byte says what comes. From {@link SHORT_TEXT} on the byte also holds the length of a
 * text, from {@link SMALL_INTEGER} on a whole number.
 */
export const TAG = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  integer: 4,
  double: 5,
  text: 6,
  text16: 7,
  bigint: 8,
  array: 9,
  object: 10,
  map: 11,
  set: 12,
  date: 13,
  regexp: 14,
  binary: 15,
  arrayBuffer: 16,
  error: 17,
  coded: 18,
  address: 19,
  ref: 20,
  exit: 21,
  down: 22,
  event: 23,
  eventStart: 24,
  eventStop: 25,
  fallback: 26,
  typed: 27,
  terminate: 28,
} as const;

/** Texts of up to 63 bytes. */
export const SHORT_TEXT = 64;
/** Whole numbers from 0 to 127. */
export const SMALL_INTEGER = 128;

/** What kind of address comes, in the upper half of its byte. */
export const ADDRESS = { pid: 0x00, name: 0x10, alias: 0x20, event: 0x30 } as const;

/**
 * Whose node an address is of, in the lower half of its byte, as the sender of the bytes sees it. Those that are of the
 * present life of one of both nodes need neither name nor creation.
 */
export const NODE = { sender: 0, receiver: 1, senderBefore: 2, receiverBefore: 3, other: 4 } as const;

/** Views of bytes, by their number on the wire. */
export const BINARY = [
  Uint8Array,
  Buffer,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
] as const;

/** Keys and names that each side of a connection remembers, so that they cross once. */
export const MAX_KEYS = 4_096;
export const MAX_KEY_LENGTH = 64;
/** Values may be nested so deep; deeper ones are cycles, nearly always. */
export const MAX_DEPTH = 1_000;

/** How a compressed value is announced, in place of its tag. */
export const COMPRESSED = { gzip: 60, zlib: 61 } as const;
