/**
 * The way to the peer.
 *
 * W1. Bytes leave in the order of the calls.
 * W2. What is written in one turn of the event loop leaves in one write, or in writes of `flushBytes` and more.
 * W3. It is blocked from a write that the system did not take at once, and that was one too many, until all has been taken.
 */
import type { Socket } from "node:net";

/** Parts of at least this many bytes each on average are handed over one by one, which costs less than to copy them together. */
const LARGE_BYTES = 4_096;

/** How to write. */
export interface WriterOptions {
  /** This much is not gathered any longer. */
  readonly flushBytes: number;
  /** Told when the peer does not take what is written, and when it does again. */
  readonly onBlocked: (blocked: boolean) => void;
}

/** Gathers what is written to a socket. */
export class Writer {
  /** Bytes that were accepted for the peer. */
  bytesOut = 0;
  isBlocked = false;
  readonly #socket: Socket;
  readonly #options: WriterOptions;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #isScheduled = false;
  #isOpen = true;

  constructor(socket: Socket, options: WriterOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Whether nothing waits to leave. */
  get isIdle(): boolean {
    return this.#bytes === 0 && this.#socket.writableLength === 0;
  }

  /** Writes in this turn. Does nothing once it is closed. */
  write(data: Uint8Array): void {
    if (!this.#isOpen || data.length === 0) return;
    this.bytesOut += data.length;
    this.#parts.push(data);
    this.#bytes += data.length;
    if (this.#bytes >= this.#options.flushBytes) this.#flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      process.nextTick(this.#onTurn);
    }
  }

  /** Takes no more, and closes the socket when what was written before has left. */
  end(): void {
    if (!this.#isOpen) return;
    this.#flush();
    this.#isOpen = false;
    this.#socket.destroySoon();
  }

  /** The socket is closed: whoever waited for it waits no more. */
  close(): void {
    this.#isOpen = false;
    this.#parts = [];
    this.#bytes = 0;
    this.#setBlocked(false);
  }

  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    this.#flush();
  };

  #flush(): void {
    const parts = this.#parts;
    const bytes = this.#bytes;
    if (parts.length === 0) return;
    this.#parts = [];
    this.#bytes = 0;
    const socket = this.#socket;
    const [only] = parts;
    let hasRoom = true;
    if (parts.length === 1 && only !== undefined) hasRoom = socket.write(only);
    else if (bytes < parts.length * LARGE_BYTES) hasRoom = socket.write(Buffer.concat(parts, bytes));
    else {
      socket.cork();
      for (const part of parts) hasRoom = socket.write(part);
      socket.uncork();
    }
    // A large write asks to wait even where the system has taken it already.
    if (hasRoom || socket.writableLength === 0 || this.isBlocked) return;
    this.#setBlocked(true);
    socket.once("drain", () => this.#setBlocked(false));
  }

  #setBlocked(blocked: boolean): void {
    if (this.isBlocked === blocked) return;
    this.isBlocked = blocked;
    this.#options.onBlocked(blocked);
  }
}
