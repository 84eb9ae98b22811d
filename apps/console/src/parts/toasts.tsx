import { useSyncExternalStore } from "react";
import type { Tone } from "./badge.tsx";
import { Button } from "./button.tsx";

interface Toast {
  readonly id: number;
  readonly tone: Tone;
  readonly text: string;
  readonly code?: string | undefined;
}

/** How long a success stays; a failure stays until it is closed. */
const STAY_MS = 5_000;
let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function add(tone: Tone, text: string, code?: string): void {
  const id = nextId++;
  set([...toasts.slice(-3), { id, tone, text, code }]);
  if (tone !== "bad") setTimeout(() => close(id), STAY_MS);
}

function close(id: number): void {
  set(toasts.filter((one) => one.id !== id));
}

export function say(text: string): void {
  add("good", text);
}

export function complain(error: unknown): void {
  const { message, code } = error as { message?: string; code?: string };
  add("bad", message ?? String(error), code);
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="log" aria-live="polite" aria-label="What was done">
      {shown.map(({ id, tone, text, code }) => (
        <div className="notice" data-tone={tone} key={id}>
          <div className="row">
            <span className="wrap">{text}</span>
            <Button kind="plain" aria-label="Dismiss" onClick={() => close(id)}>
              ×
            </Button>
          </div>
          {code === undefined ? null : (
            <span className="small muted">
              code <code>{code}</code>
            </span>
          )}
        </div>
      ))}
    </div>
  );
}
