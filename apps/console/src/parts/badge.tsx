export type Tone = "good" | "warn" | "bad" | "none";

const TONES: Readonly<Record<string, Tone>> = {
  ok: "good",
  ready: "good",
  running: "good",
  completed: "good",
  enabled: "good",
  managed: "good",
  owned: "good",
  pending: "warn",
  offered: "warn",
  suspect: "warn",
  releasing: "warn",
  moving: "warn",
  unreachable: "bad",
  orphaned: "bad",
  busy: "warn",
  degraded: "warn",
  draining: "warn",
  maintenance: "warn",
  paused: "warn",
  restarting: "warn",
  starting: "warn",
  backoff: "warn",
  wait_response: "warn",
  stopping: "warn",
  failing: "bad",
  failed: "bad",
  down: "bad",
  quarantined: "bad",
  "crash-looping": "bad",
  zombie: "bad",
};

/** The colour that a state has everywhere; its name stands beside it always. */
export function toneOf(state: string): Tone {
  return TONES[state] ?? "none";
}

export function State({ state }: { state: string }) {
  return (
    <span className="badge" data-tone={toneOf(state)}>
      {state}
    </span>
  );
}

export function Badge({ tone = "none", children }: { tone?: Tone; children: React.ReactNode }) {
  return (
    <span className="badge" data-tone={tone}>
      {children}
    </span>
  );
}
