import { lazy, Suspense } from "react";
import type { EditorProps } from "./code-editor.tsx";

const Code = lazy(async () => ({ default: (await import("./code-editor.tsx")).CodeEditor }));

/** A text editor whose code is fetched with the first one; until then a plain one takes the text. */
export function Editor(props: EditorProps) {
  const { label, value, onChange } = props;
  const plain = (
    <textarea
      className="input"
      aria-label={label}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      spellCheck={false}
    />
  );
  return (
    <Suspense fallback={plain}>
      <Code {...props} />
    </Suspense>
  );
}
