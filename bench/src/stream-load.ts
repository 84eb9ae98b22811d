import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import * as path from "node:path";
import type { Running, Sampler } from "./contender.ts";
import { diskFolder } from "./processes.ts";

/** What the process of a system is asked: one sample of a measure. */
export interface StreamQuestion {
  readonly measure: string;
  readonly durationMs: number;
}

/** Opens a system of streams. `folder` holds the files of {@link linesFolder}. */
export type StreamSystem = (folder: string) => Promise<Running>;

/** Bytes per record, by what follows the name of the measure. */
export const sizes = { "": 64, ".1kib": 1_024, ".64kib": 65_536 } as const;

const FILE_BYTES = 256 * 1_024 * 1_024;
const SHORT_FILE_BYTES = FILE_BYTES / 4;
/** One record in so many does not pass the filter. */
const KINDS = 8;

/** A file of lines, and how many of them have an `a`. */
export interface LinesFile {
  readonly path: string;
  readonly bytes: number;
  readonly lines: number;
  readonly matching: number;
}

/** The file of lines of `bytes` each, their newline included. */
export function linesFile(folder: string, bytes: number, { isShort = false } = {}): LinesFile {
  const fileBytes = isShort ? SHORT_FILE_BYTES : FILE_BYTES;
  const lines = fileBytes / bytes;
  return {
    path: path.join(folder, `${bytes}${isShort ? "-short" : ""}`),
    bytes: fileBytes,
    lines,
    matching: (lines / KINDS) * (KINDS - 1),
  };
}

let made: string | undefined;

/** A folder with the files of lines, made once and removed with the process. */
export function linesFolder(): string {
  if (made !== undefined) return made;
  const folder = diskFolder("lines-");
  made = folder;
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true });
  for (const bytes of Object.values(sizes)) writeLines(linesFile(folder, bytes), bytes);
  writeLines(linesFile(folder, 64, { isShort: true }), 64);
  return folder;
}

function writeLines({ path: file, bytes: fileBytes }: LinesFile, bytes: number): void {
  const chunk = Buffer.from(
    texts(bytes - 1)
      .map((text) => `${text}\n`)
      .join(""),
  );
  const big = Buffer.concat(Array.from({ length: Math.max(1, 1_048_576 / chunk.length) }, () => chunk));
  const descriptor = openSync(file, "w");
  for (let left = fileBytes; left > 0; left -= big.length) writeSync(descriptor, big, 0, Math.min(left, big.length));
  closeSync(descriptor);
}

/** Texts of that length; the filter takes all but the last. */
export function texts(length: number): string[] {
  const fill = (unit: string): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
  return Array.from({ length: KINDS }, (_, kind) =>
    fill(kind === KINDS - 1 ? "0123456789" : `a${kind}bcdefghijklmnopqrstuvwxyz`),
  );
}

/** `count` records, the same few texts again and again. */
export function* records(count: number, length: number): Generator<string> {
  const pool = texts(length);
  for (let index = 0; index < count; index++) yield pool[index % KINDS] as string;
}

/** What passes the second function. */
export interface Measured {
  readonly text: string;
  readonly length: number;
}

/** What passes the third function. */
export interface Weighed {
  readonly text: string;
  readonly weight: number;
}

/** The functions of the four stages. */
export const fits = (text: string): boolean => text.charCodeAt(0) === 97;
export const measured = (text: string): Measured => ({ text, length: text.length });
export const weighed = ({ text, length }: Measured): Weighed => ({ text, weight: 2 * length });

/** The last stage: how many records arrived, and the sum of what they weigh. */
export class Sink {
  count = 0;
  sum = 0;

  readonly add = ({ weight }: Weighed): void => {
    this.count++;
    this.sum += weight;
  };

  readonly addText = (text: string): void => {
    this.count++;
    this.sum += text.length;
  };
}

/** What a system of streams in a process does. Each resolves when every record is through. */
export interface StreamWorld {
  /** {@link fits}, {@link measured}, {@link weighed}, and {@link Sink.add}. */
  chain(count: number, length: number): Promise<Sink>;
  /** Every record to each of `width` functions, which count into one sink. */
  fanOut(count: number, width: number): Promise<Sink>;
  /** `width` sources of `count` records each, one function. */
  fanIn(count: number, width: number): Promise<Sink>;
}

const WIDTH = 8;
const FAN_RECORDS = 100_000;
const FAN_LENGTH = 64;

/** Samplers of a world; each fails if something is missing at the end. */
export function worldSamplers(world: StreamWorld): Record<string, Sampler> {
  const chains = Object.entries(sizes).map(([size, length]): [string, Sampler] => {
    const count = length > 10_000 ? 20_000 : 200_000;
    const arrived = (count / KINDS) * (KINDS - 1);
    const round = async (): Promise<number> => {
      prove(await world.chain(count, length), { count: arrived, sum: arrived * length * 2 });
      return count;
    };
    return [`pipe4.inprocess${size}`, (durationMs) => rounds(durationMs, round)];
  });
  const fan = async (work: Promise<Sink>, count: number): Promise<number> => {
    prove(await work, { count, sum: count * FAN_LENGTH });
    return count;
  };
  return {
    ...Object.fromEntries(chains),
    fanout8: (durationMs) => rounds(durationMs, () => fan(world.fanOut(FAN_RECORDS, WIDTH), FAN_RECORDS * WIDTH)),
    fanin8: (durationMs) => rounds(durationMs, () => fan(world.fanIn(FAN_RECORDS, WIDTH), FAN_RECORDS * WIDTH)),
  };
}

/** Records of the fans. */
export const fanRecords = (count: number): Iterable<string> => records(count, FAN_LENGTH);

/** Records per second of a piece of work that is done over and over; it says how many it had. */
export async function rounds(durationMs: number, work: () => Promise<number>): Promise<number> {
  const startMs = performance.now();
  let done = 0;
  do done += await work();
  while (performance.now() - startMs < durationMs);
  return done / ((performance.now() - startMs) / 1_000);
}

/** @throws {Error} Something was lost or came twice. */
export function prove(found: object, expected: object): void {
  for (const [name, value] of Object.entries(expected)) {
    const got = (found as Record<string, unknown>)[name];
    if (got !== value) throw new Error(`${name} is ${got}, expected ${value}`);
  }
}
