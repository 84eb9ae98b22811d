/** Streams of bytes for tests: what the hosts of nodes give, read and weigh. Not a test. */
import { Session } from "node:inspector/promises";

/** What one read of a file gives. */
export const ITEM_BYTES = 65_536;
/** Between two looks at the resident memory. */
const LOOK_MS = 20;

/** Items of new memory, as those of a file are; each begins with its number. `onGiven` is told how many there were, and at last -1. */
export async function* byteItems(count: number, onGiven: (given: number) => void): AsyncGenerator<Uint8Array> {
  try {
    for (let number = 0; number < count; number++) {
      const item = Buffer.alloc(ITEM_BYTES, number & 0xff);
      item.writeUInt32LE(number);
      onGiven(number + 1);
      yield item;
    }
  } finally {
    onGiven(-1);
  }
}

/** Reads such items in parts, and sees to it that each is the one that is due. */
export class ByteReader {
  readonly #items: AsyncIterator<unknown>;
  #taken = 0;

  constructor(stream: AsyncIterable<unknown>) {
    this.#items = stream[Symbol.asyncIterator]();
  }

  /** Reads so many more, or to the end; gives how many have been read so far. */
  async read(most: number): Promise<number> {
    for (let n = 0; n < most; n++) {
      const next = await this.#items.next();
      if (next.done) break;
      const item = next.value as Buffer;
      const number = new DataView(item.buffer, item.byteOffset, 4).getUint32(0, true);
      if (item.byteLength !== ITEM_BYTES || number !== this.#taken || item.at(-1) !== (number & 0xff)) {
        throw new Error(`item ${number} of ${item.byteLength} bytes came where ${this.#taken} was due`);
      }
      this.#taken++;
    }
    return this.#taken;
  }

  async leave(): Promise<void> {
    await this.#items.return?.();
  }
}

/** Weighs this process: the greatest resident memory since {@link begin}, less that before, in megabytes. */
export class Scales {
  #before = Number.NaN;
  #most = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Begins without garbage. */
  async begin(): Promise<void> {
    const session = new Session();
    session.connect();
    for (let n = 0; n < 3; n++) await session.post("HeapProfiler.collectGarbage");
    session.disconnect();
    this.end();
    this.#before = process.memoryUsage.rss();
    this.#most = this.#before;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  end(): number {
    clearInterval(this.#timer);
    this.#look();
    return (this.#most - this.#before) / 1e6;
  }

  #look(): void {
    this.#most = Math.max(this.#most, process.memoryUsage.rss());
  }
}
