import { Readable, Transform, type TransformCallback, Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import type { Running } from "../contender.ts";
import {
  fanRecords,
  fits,
  type Measured,
  measured,
  records,
  Sink,
  type StreamWorld,
  type Weighed,
  weighed,
  worldSamplers,
} from "../stream-load.ts";

/** Plain streams of Node in object mode, with what they buffer by default. There is no acknowledgement. */
export async function nodeStream(): Promise<Running> {
  return { samplers: worldSamplers(world), close: async () => undefined };
}

const world: StreamWorld = {
  async chain(count, length) {
    const sink = new Sink();
    await pipeline(
      Readable.from(records(count, length)),
      transform<string>((text, done) => (fits(text) ? done(null, text) : done())),
      transform<string>((text, done) => done(null, measured(text))),
      transform<Measured>((record, done) => done(null, weighed(record))),
      writable<Weighed>(sink.add),
    );
    return sink;
  },

  async fanOut(count, width) {
    const sink = new Sink();
    const source = Readable.from(fanRecords(count));
    const ends = Array.from({ length: width }, () => source.pipe(writable<string>(sink.addText)));
    await Promise.all(ends.map((end) => finished(end)));
    return sink;
  },

  async fanIn(count, width) {
    const sink = new Sink();
    const end = writable<string>(sink.addText);
    end.setMaxListeners(0);
    const sources = Array.from({ length: width }, () => Readable.from(fanRecords(count)));
    const over = sources.map((source) => finished(source));
    for (const source of sources) source.pipe(end, { end: false });
    await Promise.all(over);
    end.end();
    await finished(end);
    return sink;
  },
};

function transform<In>(call: (record: In, done: TransformCallback) => void): Transform {
  return new Transform({ objectMode: true, transform: (record: In, _encoding, done) => call(record, done) });
}

function writable<In>(take: (record: In) => void): Writable {
  return new Writable({
    objectMode: true,
    write(record: In, _encoding, done) {
      take(record);
      done();
    },
  });
}
