import { type Contender, importPeer, type Running } from "../contender.ts";
import { fanRecords, fits, measured, records, Sink, type StreamWorld, weighed, worldSamplers } from "../stream-load.ts";
import { streamContender } from "../streams.ts";

type Operator = (source: Observable) => Observable;
interface Observable {
  pipe(...operators: readonly Operator[]): Observable;
  forEach(take: (record: never) => void): Promise<void>;
  subscribe(observer: object): unknown;
}
interface Subject extends Observable {
  next(record: unknown): void;
  complete(): void;
}
/** What is used of RxJS. */
interface Rx {
  from(records: Iterable<unknown>): Observable;
  filter(fits: (record: never) => boolean): Operator;
  map(call: (record: never) => unknown): Operator;
  merge(...sources: readonly Observable[]): Observable;
  Subject: new () => Subject;
}

/** Observables: they push on the stack of the source, have no back-pressure, and acknowledge nothing. */
export async function rxjs(): Promise<Running> {
  return { samplers: worldSamplers(worldOf(await importPeer<Rx>("rxjs"))), close: async () => undefined };
}

/** RxJS, where it is installed. */
export const rxjsContender: Contender = {
  name: "rxjs",
  async open() {
    await importPeer("rxjs");
    const running = await streamContender("rxjs", "rxjs").open();
    return { ...running, note: "no back-pressure, no acknowledgement" };
  },
};

function worldOf({ from, filter, map, merge, Subject }: Rx): StreamWorld {
  return {
    async chain(count, length) {
      const sink = new Sink();
      await from(records(count, length)).pipe(filter(fits), map(measured), map(weighed)).forEach(sink.add);
      return sink;
    },

    async fanOut(count, width) {
      const sink = new Sink();
      const subject = new Subject();
      const ends = Array.from({ length: width }, () => subject.forEach(sink.addText));
      from(fanRecords(count)).subscribe(subject);
      await Promise.all(ends);
      return sink;
    },

    async fanIn(count, width) {
      const sink = new Sink();
      await merge(...Array.from({ length: width }, () => from(fanRecords(count)))).forEach(sink.addText);
      return sink;
    },
  };
}
