/** Where progress goes: standard error, or something like it. */
export interface ProgressSink {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

export interface Progress {
  update(done: number, total: number): void;
  /** Clears the bar, so that whatever is written next begins on an empty line. Idempotent. */
  end(): void;
}

const BAR_WIDTH = 30;
/** Lines in all where there is no terminal to draw on. */
const LINES = 5;

/** Shows how far the audit is: a bar that is drawn over on a terminal, a few lines elsewhere. */
export function createProgress(sink: ProgressSink): Progress {
  return sink.isTTY === true ? createBar(sink) : createLines(sink);
}

function createBar(sink: ProgressSink): Progress {
  let shownPercent = -1;
  return {
    update(done, total) {
      const percent = Math.floor((100 * done) / total);
      if (percent === shownPercent) return;
      shownPercent = percent;
      const filled = Math.floor((BAR_WIDTH * done) / total);
      const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
      sink.write(`\r\x1b[2Kinspecting ${bar} ${done}/${total}`);
    },
    end() {
      if (shownPercent >= 0) sink.write("\r\x1b[2K");
      shownPercent = -1;
    },
  };
}

function createLines(sink: ProgressSink): Progress {
  let shown = 0;
  return {
    update(done, total) {
      const step = Math.floor((LINES * done) / total);
      if (step === shown) return;
      shown = step;
      sink.write(`inspected ${done} of ${total} packages\n`);
    },
    end() {
      shown = 0;
    },
  };
}
