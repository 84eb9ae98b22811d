import { useState } from "react";
import { bytes, pretty } from "../format.ts";
import { Button } from "./button.tsx";

/** Characters that are drawn before somebody asks for all. */
const SHOWN = 20_000;

/** A value, whole: JSON indented, text as it is, octets in hexadecimal. */
export function Value({ value, label }: { value: unknown; label: string }) {
  const [isWhole, setWhole] = useState(false);
  const text = pretty(value);
  const isCut = text.length > SHOWN && !isWhole;
  return (
    <div className="stack">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keys */}
      <section className="pre mono" aria-label={label} tabIndex={0}>
        {text === "" ? <span className="muted">(empty)</span> : isCut ? text.slice(0, SHOWN) : text}
      </section>
      {isCut ? (
        <div className="row">
          <Button onClick={() => setWhole(true)}>Show all {bytes(text.length)}</Button>
        </div>
      ) : null}
    </div>
  );
}

/** The first bytes of base64 text as people read octets. */
export function hex(base64: string, limit = 256): string {
  const text = atob(base64.slice(0, Math.ceil(limit / 3) * 4));
  return Array.from(text, (character) => character.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
}
