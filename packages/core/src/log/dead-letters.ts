import { coreError, type MetanodeError } from "../errors.ts";
import type { Message } from "../message/message.ts";
import { intWithin } from "../options.ts";
import type { DeadLetter, DeadLetters } from "./log.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { DeadRow, LogStore, ReplayedRecord } from "./store.ts";

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1_000;

/** What dead letters ask of the log that they belong to. */
export interface DeadLetterGround {
  readonly store: LogStore;
  /** Resolves when everything given up on so far is stored; rejects when the log is closed. */
  settle(): Promise<void>;
  onReplayed(record: ReplayedRecord): void;
}

/** The dead letters of the embedded log. They stand in a table of their own, outside the retention of streams. */
export class HostedDeadLetters implements DeadLetters {
  readonly #ground: DeadLetterGround;

  constructor(ground: DeadLetterGround) {
    this.#ground = ground;
  }

  async list(
    options: { stream?: string; consumer?: string; limit?: number; cursor?: string } = {},
  ): Promise<{ items: DeadLetter[]; next: string | undefined }> {
    const limit = intWithin("deadLetters.limit", options.limit ?? DEFAULT_PAGE, 1, MAX_PAGE);
    const afterId = options.cursor === undefined ? 0 : parseCursor(options.cursor);
    await this.#ground.settle();
    const { stream, consumer } = options;
    // One more than asked for tells whether there is a next page.
    const rows = await this.#ground.store.listDead({ stream, consumer, afterId, limit: limit + 1 });
    const items = rows.slice(0, limit).map(toDeadLetter);
    return { items, next: rows.length > limit ? items.at(-1)?.id : undefined };
  }

  async count(): Promise<number> {
    await this.#ground.settle();
    return this.#ground.store.countDead();
  }

  async get(id: string): Promise<DeadLetter> {
    await this.#ground.settle();
    return toDeadLetter(await this.#find(id));
  }

  async edit(id: string, change: Partial<Message>): Promise<DeadLetter> {
    await this.#ground.settle();
    const row = await this.#find(id);
    const message = decodeRecord(row.body);
    if (change.id !== undefined && change.id !== message.id) {
      throw coreError("message.invalid", `id is ${JSON.stringify(change.id)}, expected ${JSON.stringify(message.id)}: it stays`, {
        details: { path: "/id", expected: message.id },
      });
    }
    const body = encodeRecord({ ...message, ...change });
    if (!(await this.#ground.store.editDead(row.id, body))) throw notFound(id);
    return toDeadLetter({ ...row, body, edited: true });
  }

  async replay(id: string): Promise<void> {
    await this.#ground.settle();
    const replayed = await this.#ground.store.replayDead(parseId(id));
    if (replayed === undefined) throw notFound(id);
    if (replayed === "orphan") {
      throw coreError(
        "resource.not_found",
        `the consumer that gave up on dead letter ${id} was removed; open one of that name first, or drop the dead letter`,
        { details: { id } },
      );
    }
    this.#ground.onReplayed(replayed);
  }

  async drop(id: string): Promise<void> {
    await this.#ground.settle();
    if (!(await this.#ground.store.dropDead(parseId(id)))) throw notFound(id);
  }

  async #find(id: string): Promise<DeadRow> {
    const row = await this.#ground.store.getDead(parseId(id));
    if (row === undefined) throw notFound(id);
    return row;
  }
}

function toDeadLetter(row: DeadRow): DeadLetter {
  const { id, stream, consumer, sequence, attempts, error, atMs, edited } = row;
  return { id: String(id), stream, consumer, sequence, attempts, error, atMs, edited, message: decodeRecord(row.body) };
}

function parseId(id: string): number {
  if (!/^[1-9]\d{0,14}$/.test(id)) throw notFound(id);
  return Number(id);
}

function parseCursor(cursor: string): number {
  if (/^[1-9]\d{0,14}$/.test(cursor)) return Number(cursor);
  throw coreError("usage.invalid", `cursor is ${JSON.stringify(cursor)}, expected what the last page returned as next`, {
    details: { path: "cursor" },
  });
}

function notFound(id: string): MetanodeError {
  return coreError("resource.not_found", `there is no dead letter ${JSON.stringify(id)}; it may have been replayed or dropped`, {
    details: { id },
  });
}
