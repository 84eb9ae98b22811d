import { events, type ServerEvent } from "@metanode/client";
import { useEffect, useRef, useState } from "react";
import { api } from "../api.ts";

/** How long to wait before a stream that broke is opened again, in milliseconds. */
const AGAIN_MS = 1_500;

export type StreamState = "connecting" | "open" | "ended" | "broken";

/**
 * Follows an event stream of the node while the component lives. A stream that breaks is opened again after the last
 * event that was seen; one that the node ends stays ended.
 */
export function useEvents(path: string | undefined, onEvent: (event: ServerEvent) => void): StreamState {
  const [state, setState] = useState<StreamState>("connecting");
  const handler = useRef(onEvent);
  handler.current = onEvent;
  useEffect(() => {
    if (path === undefined) return;
    const control = new AbortController();
    void follow(path, control.signal, setState, (event) => handler.current(event));
    return () => control.abort();
  }, [path]);
  return state;
}

async function follow(
  path: string,
  signal: AbortSignal,
  say: (state: StreamState) => void,
  onEvent: (event: ServerEvent) => void,
): Promise<void> {
  let lastEventId = "";
  while (!signal.aborted) {
    try {
      say("connecting");
      for await (const event of events(api, path, { signal, lastEventId, onOpen: () => say("open") })) {
        lastEventId = event.id;
        onEvent(event);
      }
      if (!signal.aborted) say("ended");
      return;
    } catch (error) {
      if (signal.aborted) return;
      say("broken");
      // A refusal will be one again.
      if (((error as { status?: number }).status ?? 0) >= 400) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** The last `limit` events of a stream, oldest first. They are shown at most ten times a second, however many come. */
export function useTail<T>(path: string | undefined, read: (event: ServerEvent) => T | undefined, limit: number) {
  const [items, setItems] = useState<readonly T[]>([]);
  const waiting = useRef<T[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another path is another stream
  useEffect(() => {
    setItems([]);
    waiting.current = [];
    return () => clearTimeout(timer.current);
  }, [path]);
  const state = useEvents(path, (event) => {
    const item = read(event);
    if (item === undefined) return;
    waiting.current.push(item);
    if (waiting.current.length > limit) waiting.current.shift();
    if (waiting.current.length > 1) return;
    timer.current = setTimeout(() => {
      const taken = waiting.current;
      waiting.current = [];
      setItems((before) => [...before, ...taken].slice(-limit));
    }, 100);
  });
  return { items, state, clear: () => setItems([]) };
}
