import { coreError } from "../errors.ts";
import { decodeBatch } from "./codec.ts";
import type { Frame } from "./frames.ts";
import { HEAD_BYTES, PACKET, type Packet, type PacketKind } from "./nats-packet.ts";

/*
 * The two directions of a link over NATS, without NATS: packets leave by a function, and come in by `take`.
 *
 * F1. Batches, parts and ends are numbered without a gap. What comes out of order ends the link; what comes twice is passed over.
 * F2. At most the window of the other side, and one packet more, is sent and not yet taken. What is over waits here, whole.
 * F3. A packet counts as taken when its frames were given to the listener, or lie in the bounded room of a batch in parts.
 */

/** Longest batch that is put together again, in bytes; a longer one ends the link, as over gRPC. */
const MAX_BATCH_BYTES = 64 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** What leaves. */
export class Outflow {
  readonly #publish: (packet: Packet) => void;
  readonly #taken: () => number;
  readonly #queue: Buffer[] = [];
  /** Bytes of the first batch of the queue that have left in parts. */
  #offset = 0;
  #sequence = 0;
  #sentBytes = 0;
  #takenBytes = 0;
  #windowBytes = 0;
  #bodyBytes = 0;

  constructor(publish: (packet: Packet) => void, taken: () => number) {
    this.#publish = publish;
    this.#taken = taken;
  }

  /** The other side can be sent to. */
  get isOpen(): boolean {
    return this.#bodyBytes > 0;
  }

  /** Nothing waits. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Lets packets out: so many bytes under way, so many in one packet. */
  open(windowBytes: number, maxPacketBytes: number): void {
    this.#windowBytes = windowBytes;
    this.#bodyBytes = maxPacketBytes - HEAD_BYTES;
    this.pump();
  }

  batch(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.pump();
  }

  /** The other side has taken so many bytes in all. */
  acknowledge(bytes: number): void {
    if (bytes <= this.#takenBytes) return;
    this.#takenBytes = Math.min(bytes, this.#sentBytes);
    this.pump();
  }

  /** Says how far we are, and that we are there. */
  note(): void {
    this.#send(PACKET.note, NOTHING);
  }

  /** The last packet. What waits does not leave any more. */
  end(reason: Buffer): void {
    this.#queue.length = 0;
    this.#sequence++;
    this.#send(PACKET.end, reason);
  }

  pump(): void {
    while (this.#sentBytes - this.#takenBytes < this.#windowBytes) {
      const batch = this.#queue[0];
      if (batch === undefined) return;
      const body = batch.subarray(this.#offset, this.#offset + this.#bodyBytes);
      this.#offset += body.length;
      const isWhole = this.#offset >= batch.length;
      if (isWhole) {
        this.#queue.shift();
        this.#offset = 0;
      }
      this.#sequence++;
      this.#sentBytes += HEAD_BYTES + body.length;
      this.#send(isWhole ? PACKET.batch : PACKET.part, body);
    }
  }

  #send(kind: PacketKind, body: Buffer): void {
    this.#publish({ kind, sequence: this.#sequence, taken: this.#taken(), body });
  }
}

/** What comes. */
export class Inflow {
  #sequence = 0;
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** Bytes of packets that were taken, for the other side. */
  taken = 0;

  /** Whether a packet is to be looked at; false for one that came before. @throws {MetanodeError} node.unreachable – some are missing */
  check({ kind, sequence }: Packet): boolean {
    const isNumbered = kind !== PACKET.note && kind !== PACKET.accept;
    if (isNumbered && sequence <= this.#sequence) return false;
    const missing = sequence - this.#sequence - (isNumbered ? 1 : 0);
    if (missing > 0) {
      throw coreError("node.unreachable", `${missing} packets of the link were lost on the bus`, { details: { missing } });
    }
    if (isNumbered) this.#sequence = sequence;
    return true;
  }

  /** The frames of a batch that is whole. @throws {MetanodeError} processor.protocol */
  batch({ kind, body }: Packet): Frame[] | undefined {
    this.#partBytes += body.length;
    if (this.#partBytes > MAX_BATCH_BYTES) {
      throw coreError("processor.protocol", `a batch has more than ${MAX_BATCH_BYTES} bytes, which is the limit`);
    }
    if (kind === PACKET.part) {
      this.#parts.push(body);
      return undefined;
    }
    const whole = this.#parts.length === 0 ? body : Buffer.concat([...this.#parts, body]);
    this.#parts = [];
    this.#partBytes = 0;
    return decodeBatch(whole);
  }

  /** The packet was taken (F3). */
  took({ body }: Packet): void {
    this.taken += HEAD_BYTES + body.length;
  }
}
