import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { defaultHighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, placeholder as placeholderOf } from "@codemirror/view";
import { useEffect, useRef } from "react";

/** Something wrong in a text, with where it is. */
export interface Mark {
  readonly from: number;
  readonly to: number;
  readonly message: string;
  readonly severity: "error" | "warning";
}

export interface EditorProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  language: "json" | "expression";
  /** Drawn where they are, and told when one goes there. */
  marks?: readonly Mark[];
  placeholder?: string;
  /** In pixels. */
  minHeight?: number;
}

/** The algebra of graphs: `a; (b || c); d`. Only its colours; the node says what is wrong. */
const expression = StreamLanguage.define({
  token: (stream) => {
    if (stream.eatSpace()) return null;
    if (stream.match("||") || stream.match(/^[;+]/)) return "operator";
    if (stream.match(/^[()]/)) return "paren";
    if (stream.match(/^[^\s;|()+]+/)) return "variableName";
    stream.next();
    return "invalid";
  },
});

const look = EditorView.theme({
  "&": { fontSize: "13px", backgroundColor: "transparent", color: "var(--text)" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "transparent", border: "none", color: "var(--muted)" },
  "&.cm-focused": { outline: "none" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-soft) !important" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--text)", border: "1px solid var(--line)" },
});

export function CodeEditor({ label, value, onChange, language, marks = [], placeholder = "", minHeight = 72 }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const changed = useRef(onChange);
  changed.current = onChange;
  // biome-ignore lint/correctness/useExhaustiveDependencies: made once; what changes is told to it below
  useEffect(() => {
    if (host.current === null) return;
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: value,
        extensions: [
          history(),
          // Tab leaves the editor, so that nobody is caught in it.
          keymap.of([...defaultKeymap, ...historyKeymap]),
          language === "json" ? json() : expression,
          syntaxHighlighting(defaultHighlightStyle),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label }),
          EditorView.theme({ ".cm-content": { minHeight: `${minHeight}px` } }),
          look,
          placeholderOf(placeholder),
          lintGutter(),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) changed.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, [label, language]);
  useEffect(() => {
    const made = view.current;
    if (made === undefined || made.state.doc.toString() === value) return;
    made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: value } });
  }, [value]);
  const key = JSON.stringify(marks);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the marks by what they say
  useEffect(() => {
    const made = view.current;
    if (made !== undefined) made.dispatch(setDiagnostics(made.state, diagnosticsOf(marks, made.state.doc.length)));
  }, [key, value]);
  return <div className="editor" ref={host} />;
}

/** Marks as the editor takes them: inside the text, however it has changed since. */
function diagnosticsOf(marks: readonly Mark[], end: number): Diagnostic[] {
  return marks.map(({ from, to, message, severity }) => {
    const start = Math.min(from, Math.max(0, end - 1));
    return { from: start, to: Math.min(Math.max(to, start + 1), end), message, severity };
  });
}
