import type { RecordBody } from "./record.ts";
import type { DeadQuery, DeadRow, NewDead } from "./store.ts";

/** The dead letters of a log in memory, by their id, oldest first. */
export class MemoryDead {
  readonly #rows = new Map<number, DeadRow>();
  #lastId = 0;

  get size(): number {
    return this.#rows.size;
  }

  add(dead: NewDead, origin: { stream: string; consumer: string }): void {
    const id = ++this.#lastId;
    const { head, octets } = dead.body;
    this.#rows.set(id, { ...dead, body: { head, octets }, id, ...origin, edited: false });
  }

  get(id: number): DeadRow | undefined {
    return this.#rows.get(id);
  }

  edit(id: number, body: RecordBody): boolean {
    const row = this.#rows.get(id);
    if (row === undefined) return false;
    this.#rows.set(id, { ...row, body, edited: true });
    return true;
  }

  delete(id: number): boolean {
    return this.#rows.delete(id);
  }

  list(query: DeadQuery): DeadRow[] {
    return this.#rows
      .values()
      .filter((row) => row.id > query.afterId)
      .filter((row) => query.stream === undefined || row.stream === query.stream)
      .filter((row) => query.consumer === undefined || row.consumer === query.consumer)
      .take(query.limit)
      .toArray();
  }
}
