import type { ReactNode } from "react";
import type { Tone } from "./badge.tsx";

export function Notice({ tone = "none", title, children }: { tone?: Tone; title: string; children?: ReactNode }) {
  return (
    <div className="notice" data-tone={tone} role={tone === "bad" ? "alert" : "status"}>
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** What went wrong, with its code and what can be done, as the node has said it. */
export function Failure({ error, title = "This could not be shown" }: { error: unknown; title?: string }) {
  const { message, code, problem } = describe(error);
  return (
    <Notice tone="bad" title={title}>
      <span className="wrap">{message}</span>
      <span className="small muted">
        code <code>{code}</code>
        {problem === undefined ? "" : ` · request ${problem}`}
      </span>
    </Notice>
  );
}

/** The empty state of a list: that there is nothing, and what to do to have something. */
export function Empty({ title, children, command }: { title: string; children?: ReactNode; command?: string }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children === undefined ? null : <div className="muted">{children}</div>}
      {command === undefined ? null : <pre className="pre">{command}</pre>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="muted" role="status">
      Loading {what} …
    </p>
  );
}

function describe(error: unknown): { message: string; code: string; problem: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: "core.internal", problem: undefined };
  const { code = "core.internal", problem } = error as { code?: string; problem?: { instance?: string } };
  return { message: error.message, code, problem: problem?.instance };
}
