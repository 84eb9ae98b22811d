import { type ReactNode, useEffect, useState } from "react";
import { Button } from "./button.tsx";

/**
 * The frame of every screen: a heading, what can be done, and the command lines that show and do the same, so that
 * nobody has to choose between browser and shell.
 */
export function Page(props: {
  title: string;
  lead?: ReactNode;
  /** Command lines with the same effect as this screen. */
  cli: readonly string[];
  actions?: ReactNode;
  children: ReactNode;
}) {
  const { title, lead, cli, actions, children } = props;
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    document.title = `${title} · Metanode`;
  }, [title]);
  return (
    <div className="page">
      <div className="page-head">
        <div className="titles">
          <h1>{title}</h1>
          {lead === undefined ? null : <div className="muted">{lead}</div>}
        </div>
        <div className="row">
          {actions}
          <Button aria-expanded={isOpen} aria-controls="cli" onClick={() => setOpen(!isOpen)}>
            <span aria-hidden="true">›_</span> Command line
          </Button>
        </div>
      </div>
      <div id="cli" hidden={!isOpen}>
        <CommandLines lines={cli} />
      </div>
      {children}
    </div>
  );
}

/** Command lines to copy. */
export function CommandLines({ lines }: { lines: readonly string[] }) {
  const [copied, setCopied] = useState("");
  const copy = (line: string): void => {
    navigator.clipboard?.writeText(line).then(
      () => setCopied(line),
      () => setCopied(""),
    );
  };
  return (
    <section className="card stack" aria-label="The same on the command line">
      {lines.map((line) => (
        <div className="row" key={line}>
          <code className="wrap">{line}</code>
          <Button kind="plain" onClick={() => copy(line)} aria-label={`Copy ${line}`}>
            {copied === line ? "Copied" : "Copy"}
          </Button>
        </div>
      ))}
    </section>
  );
}
