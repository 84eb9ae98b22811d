import { time } from "../format.ts";
import { Button } from "./button.tsx";
import { useTail } from "./stream.ts";

interface Line {
  readonly text: string;
  readonly at: string;
  readonly from: string;
  readonly level: string;
}

/** Lines that are kept on the screen. */
const LINES = 500;

/** A log as it is written. `path` answers with server-sent events whose data has `text` and `at`. */
export function Logs({ path, label }: { path: string; label: string }) {
  const { items, state, clear } = useTail<Line>(
    path,
    ({ event, data }) => {
      if (event === "dropped") return { text: `… ${data} lines were left out`, at: "", from: "", level: "warn" };
      const line = JSON.parse(data) as {
        text: string;
        at: string;
        process?: string;
        stream?: string;
        node?: string;
        level?: string;
      };
      return { text: line.text, at: line.at, from: line.process ?? line.node ?? "", level: line.level ?? line.stream ?? "" };
    },
    LINES,
  );
  return (
    <section className="stack" aria-label={label}>
      <div className="row">
        <span className="badge" data-tone={state === "open" ? "good" : state === "broken" ? "bad" : "none"}>
          {state}
        </span>
        <Button onClick={clear}>Clear</Button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keys */}
      <div className="log" role="log" aria-label={label} tabIndex={0}>
        {items.length === 0 ? <span className="muted">Nothing yet. New lines appear here.</span> : null}
        {items.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity
          <div key={index}>
            <span className="muted">
              {line.at === "" ? "" : time(line.at)} {line.from} {line.level}
            </span>{" "}
            {line.text}
          </div>
        ))}
      </div>
    </section>
  );
}
