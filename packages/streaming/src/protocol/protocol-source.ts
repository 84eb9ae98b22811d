import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { streamError } from "../errors.ts";
import type { Child } from "../program/child.ts";
import type { Program } from "../program/program.ts";
import type { SourceHost } from "../stage/stage.ts";
import { converse } from "./conversation.ts";
import { encodeEngine, PROTOCOL_VERSION, type ProgramFrame } from "./frames.ts";

/** Records that may wait to be read before the program is made to wait. */
const MAX_WAITING = 1_024;

/**
 * A program that gives records with positions, is told where to go on when it is started, and what is stored. So nothing is
 * lost and nothing has to be kept for it.
 */
export function protocolSource(program: Program, host: SourceHost): Source {
  let running: Child | undefined;
  return {
    read: (options) =>
      readProgram(program, host, {
        ...options,
        onChild: (child) => {
          running = child;
        },
      }),
    commit: (position) => running?.write(encodeEngine({ kind: "commit", position })),
  };
}

async function* readProgram(
  program: Program,
  host: SourceHost,
  { position, sequence, signal, onChild }: ReadOptions & { onChild: (child: Child | undefined) => void },
): AsyncGenerator<SourceBatch> {
  const waiting: { readonly position: string; readonly data: Uint8Array }[] = [];
  const { graph, node } = host;
  const from = position === undefined ? {} : { position };
  const hello = {
    protocol: "metanode",
    version: PROTOCOL_VERSION,
    role: "source",
    graph,
    stage: node.name,
    sequence,
    ...from,
  } as const;
  let hasEnded = false;
  let isOver = false;
  let fault: unknown;
  let wake = (): void => undefined;
  const onFrame = (frame: ProgramFrame): void => {
    if (frame.kind === "source") waiting.push(frame);
    else if (frame.kind === "end") hasEnded = true;
    else if (frame.kind !== "hello" && frame.kind !== "heartbeat") {
      throw streamError("stream.codec", `found a frame ${frame.kind} from a source, expected records with positions`);
    }
    if (waiting.length >= MAX_WAITING) child.pause();
    wake();
  };
  const child: Child = converse(program, host, hello, {
    onFrame,
    onDrain: () => undefined,
    onEnd: ({ error, code }) => {
      isOver = true;
      if (error !== undefined && !signal.aborted) fault = error;
      else if (!hasEnded && !signal.aborted) {
        fault = streamError(
          "stream.program",
          `the source ${node.name} ended with exit code ${code} before it said that there is no more`,
        );
      }
      wake();
    },
  });
  onChild(child);
  const stop = (): void => {
    child.resume();
    child.endInput();
    child.terminate();
    host.clock.setTimer(5_000, () => isOver || child.kill());
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const taken = waiting.splice(0);
      const last = taken.at(-1);
      if (last !== undefined) {
        child.resume();
        yield { records: taken.map(({ data }) => data), position: last.position };
      } else if (fault !== undefined) throw fault;
      else if (isOver || hasEnded) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    onChild(undefined);
    child.endInput();
    if (!isOver) host.clock.setTimer(1_000, () => child.kill());
  }
}
