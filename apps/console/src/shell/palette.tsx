import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "../api.ts";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { screens, shortcuts } from "./screens.ts";

interface Place {
  readonly text: string;
  readonly kind: string;
  readonly to: string;
}

/** The most that is offered at a time. */
const LIMIT = 12;

/** Ctrl or ⌘ with K: any screen, processor, graph, meta or message type by some letters of its name. */
export function Palette() {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setOpen(true);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <Dialog title="Go to" open={isOpen} onClose={() => setOpen(false)}>
      {isOpen ? <Places onDone={() => setOpen(false)} /> : null}
    </Dialog>
  );
}

function Places({ onDone }: { onDone: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const navigate = useNavigate();
  const { data = [] } = useQuery({ queryKey: ["places"], queryFn: readPlaces, refetchInterval: false });
  const fixed = [...screens, ...shortcuts].map(({ text: name, to }) => ({ text: name, kind: "screen", to }));
  const found = [...fixed, ...data].filter((one) => matches(one.text, text)).slice(0, LIMIT);
  const go = (place: Place | undefined): void => {
    if (place === undefined) return;
    onDone();
    void navigate({ to: place.to as "/" });
  };
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        go(found[Math.min(chosen, found.length - 1)]);
      }}
      onKeyDown={(event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
        if (step === 0) return;
        event.preventDefault();
        setChosen(Math.max(0, Math.min(found.length - 1, chosen + step)));
      }}
    >
      <TextField
        label="Where to"
        value={text}
        onChange={(value) => {
          setText(value);
          setChosen(0);
        }}
        hint="Arrows choose, Enter goes there."
      />
      <ul className="stack">
        {found.map((place, index) => (
          <li key={`${place.kind} ${place.to}`}>
            <button
              type="button"
              className="button"
              data-kind={index === chosen ? "primary" : "normal"}
              style={{ width: "100%", justifyContent: "space-between" }}
              onClick={() => go(place)}
            >
              <span>{place.text}</span>
              <span className="small">{place.kind}</span>
            </button>
          </li>
        ))}
      </ul>
    </form>
  );
}

/** Whether the letters come in the name, in their order. */
function matches(name: string, letters: string): boolean {
  let from = 0;
  for (const letter of letters.toLowerCase().replaceAll(" ", "")) {
    from = name.toLowerCase().indexOf(letter, from) + 1;
    if (from === 0) return false;
  }
  return true;
}

async function readPlaces(): Promise<Place[]> {
  const nothing = { items: [] };
  const [processors, graphs, types, metas] = await Promise.all([
    answerOf(api.GET("/api/v1/processors")).catch(() => nothing),
    answerOf(api.GET("/api/v1/graphs")).catch(() => nothing),
    answerOf(api.GET("/api/v1/types")).catch(() => nothing),
    answerOf(api.GET("/api/v1/metas")).catch(() => nothing),
  ]);
  const names = (items: readonly { name: string }[], kind: string, path: string): Place[] =>
    items.map(({ name }) => ({ text: name, kind, to: `${path}/${encodeURIComponent(name)}` }));
  return [
    ...names(processors.items, "processor", "/processors"),
    ...names(graphs.items, "graph", "/streams"),
    ...types.items.map(({ type }) => ({
      text: type,
      kind: "message type",
      to: `/messages/send?type=${encodeURIComponent(type)}`,
    })),
    ...metas.items.map(({ meta }) => ({
      text: meta,
      kind: "meta",
      to: `/workflows?view=instances&meta=${encodeURIComponent(meta)}`,
    })),
  ];
}
