import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, type Views } from "../api.ts";
import { bytes, duration, quoted, time } from "../format.ts";
import { ActButton, DangerButton, useAct } from "../parts/act.tsx";
import { Badge, State } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { Logs } from "../parts/logs.tsx";
import { Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { type Column, DataTable } from "../parts/table.tsx";

type Process = Views["Processor"]["processes"][number];

const columns: Column<Process>[] = [
  { id: "id", header: "process", value: ({ id }) => id },
  { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
  { id: "pid", header: "pid", value: ({ pid }) => pid ?? "" },
  { id: "inFlight", header: "in flight", value: ({ inFlight }) => inFlight },
  { id: "restarts", header: "restarts", value: ({ restarts }) => restarts },
  { id: "memory", header: "memory", value: ({ memoryBytes = 0 }) => memoryBytes, cell: ({ memoryBytes }) => bytes(memoryBytes) },
  { id: "started", header: "started", value: ({ startedAt = "" }) => startedAt, cell: ({ startedAt }) => time(startedAt) },
  { id: "error", header: "last error", value: ({ lastError = "" }) => lastError },
];

/** One processor: its processes, types, rates and logs; restart, scale, replace, remove. */
export function Processor() {
  const { name } = useParams({ strict: false }) as { name: string };
  const navigate = useNavigate();
  const path = { params: { path: { name } } };
  const { data, error, isPending } = useQuery({
    queryKey: ["processor", name],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/processors/{name}", path)),
  });
  const stats = useQuery({ queryKey: ["stats"], queryFn: () => answerOf(api.GET("/api/v1/stats")) });
  const shell = quoted(name);
  return (
    <Page
      title={name}
      lead={data === undefined ? undefined : <State state={data.state} />}
      cli={[
        `npx metanode processor get ${shell}`,
        `npx metanode processor restart ${shell}`,
        `npx metanode processor scale ${shell} 2`,
        `npx metanode processor logs ${shell} -f`,
      ]}
      actions={
        data === undefined ? null : (
          <>
            <ActButton
              text="Restart"
              done={`${name} was restarted`}
              work={() => answerOf(api.POST("/api/v1/processors/{name}/restart", path))}
            />
            <Scale name={name} processes={data.processes.length} />
            <Replace name={name} command={data.command} />
            <DangerButton
              text="Remove"
              name={name}
              what="It finishes what it has and is taken off the node. Its types are answered by nobody until another handles them."
              done={`${name} was removed`}
              needs="admin"
              work={(headers) => answerOf(api.DELETE("/api/v1/processors/{name}", { ...path, headers }))}
              after={() => void navigate({ to: "/processors" })}
            />
          </>
        )
      }
    >
      {isPending ? <Loading what="the processor" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data === undefined ? null : (
        <>
          {data.processes
            .filter(({ state }) => state === "quarantined")
            .map(({ id, lastError }) => (
              <Notice key={id} tone="bad" title={`${id} is quarantined: it failed too often in a row`}>
                <span className="wrap">{lastError}</span>
              </Notice>
            ))}
          <section className="card">
            <dl className="facts">
              <dt>command</dt>
              <dd className="mono">{data.command.length === 0 ? "in this process" : data.command.map(quoted).join(" ")}</dd>
              <dt>in flight</dt>
              <dd>{data.inFlight}</dd>
              <dt>queued</dt>
              <dd>{data.queued}</dd>
            </dl>
          </section>
          <section className="stack" aria-labelledby="processes">
            <h2 id="processes">Processes</h2>
            <DataTable label="Processes" rows={data.processes} columns={columns} keyOf={({ id }) => id} />
          </section>
          <section className="card" aria-labelledby="handled">
            <h2 id="handled">Types</h2>
            <ul className="stack">
              {data.types.map((one) => {
                const numbers = stats.data?.items.find(({ type }) => type === one.type);
                return (
                  <li className="row" key={`${one.type} ${one.version}`}>
                    <strong>{one.type}</strong>
                    <span className="muted">version {one.version}</span>
                    {one.streaming ? <Badge>streams its answer</Badge> : null}
                    {one.ordered ? <Badge>in order per subject</Badge> : null}
                    <span className="muted">{one.description}</span>
                    {numbers === undefined ? null : (
                      <span className="number">
                        {numbers.count} handled, {duration(numbers.meanMs)} each
                      </span>
                    )}
                    <Link to="/messages/send" search={{ type: one.type }}>
                      Send one
                    </Link>
                  </li>
                );
              })}
            </ul>
          </section>
          <section className="stack" aria-labelledby="logs">
            <h2 id="logs">Logs</h2>
            <Logs label={`Logs of ${name}`} path={`/api/v1/processors/${encodeURIComponent(name)}/logs?tail=100`} />
          </section>
        </>
      )}
    </Page>
  );
}

function Scale({ name, processes }: { name: string; processes: number }) {
  const [text, setText] = useState<string>();
  const act = useAct(
    (wanted: number) =>
      answerOf(api.POST("/api/v1/processors/{name}/scale", { params: { path: { name } }, body: { processes: wanted } })),
    { done: `${name} was scaled`, after: () => setText(undefined) },
  );
  const wanted = Number(text);
  const isWrong = !Number.isInteger(wanted) || wanted < 0;
  return (
    <>
      <Button onClick={() => setText(String(processes))}>Scale …</Button>
      <Dialog
        title={`Scale ${name}`}
        open={text !== undefined}
        onClose={() => setText(undefined)}
        actions={
          <Button kind="primary" busy={act.isPending} disabled={isWrong} onClick={() => act.mutate(wanted)}>
            Scale
          </Button>
        }
      >
        <TextField
          label="Processes"
          type="number"
          value={text ?? ""}
          onChange={setText}
          hint="Those that are too many finish what they have."
          problem={isWrong ? "A whole number, at least 0." : undefined}
        />
      </Dialog>
    </>
  );
}

function Replace({ name, command }: { name: string; command: readonly string[] }) {
  const [text, setText] = useState<string>();
  const act = useAct(
    (words: string[]) => answerOf(api.PUT("/api/v1/processors/{name}", { params: { path: { name } }, body: { command: words } })),
    { done: `${name} was replaced`, after: () => setText(undefined) },
  );
  const words = (text ?? "").split("\n").filter((word) => word !== "");
  return (
    <>
      <Button onClick={() => setText(command.join("\n"))}>Replace …</Button>
      <Dialog
        title={`Replace ${name}`}
        open={text !== undefined}
        onClose={() => setText(undefined)}
        actions={
          <Button kind="primary" busy={act.isPending} disabled={words.length === 0} onClick={() => act.mutate(words)}>
            Replace
          </Button>
        }
      >
        <p>
          The new processes are started first; when they are ready they take over, and no caller sees an error. If they do not
          come up, the old ones stay.
        </p>
        <TextField
          label="Command"
          rows={4}
          value={text ?? ""}
          onChange={setText}
          hint="Program and arguments, one on each line."
        />
      </Dialog>
    </>
  );
}
