import { streamError } from "../errors.ts";
import type { Child } from "../program/child.ts";
import { type Program, startChild } from "../program/program.ts";
import type { SourceHost } from "../stage/stage.ts";
import { decodeProgram, type EngineHello, encodeEngine, FrameReader, type ProgramFrame } from "./frames.ts";

/** How long a program may be silent while it has something to do, in milliseconds: it says that it is still there. */
export const SILENCE_MS = 30_000;

export interface ConversationEvents {
  readonly onFrame: (frame: ProgramFrame) => void;
  readonly onDrain: () => void;
  /** It has ended, well or badly; `error` says how badly. */
  readonly onEnd: (end: { readonly code: number | null; readonly stderr: string; readonly error: unknown }) => void;
}

/** Starts a program that speaks the protocol, and greets it. */
export function converse(program: Program, host: SourceHost, hello: EngineHello, events: ConversationEvents): Child {
  const reader = new FrameReader(decodeProgram, program.maxRecordBytes);
  let hasGreeted = false;
  let fault: unknown;
  const child: Child = startChild(program, host, {
    onOutput: (chunk) => {
      if (fault !== undefined) return;
      try {
        for (const frame of reader.push(chunk)) {
          if (!hasGreeted) mustGreet(frame);
          hasGreeted = true;
          events.onFrame(frame);
        }
      } catch (error) {
        fault = error;
        child.kill();
      }
    },
    onDrain: events.onDrain,
    onExit: (exit) => {
      const how = exit.signal ?? `exit code ${exit.code}`;
      const died = streamError("stream.program", `the program of ${host.node.name} ended with ${how}`, {
        details: { exitCode: exit.code, signal: exit.signal },
      });
      const error = fault ?? exit.error ?? (exit.code === 0 ? undefined : died);
      events.onEnd({ code: exit.code, stderr: child.stderrTail, error });
    },
  });
  child.write(encodeEngine({ kind: "hello", hello }));
  return child;
}

function mustGreet(frame: ProgramFrame): void {
  if (frame.kind !== "hello") throw streamError("stream.codec", `found a frame ${frame.kind}, expected a hello first`);
  const { window } = frame.hello; // any version will do: the program hears of ours, and the lower one counts
  if (window === undefined || (Number.isSafeInteger(window) && window >= 1)) return;
  throw streamError("stream.codec", `found the window ${JSON.stringify(window)} in a hello, expected a number of records`);
}
