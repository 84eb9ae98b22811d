import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { api, type Views } from "../api.ts";
import { bytes, duration, quoted, short, time } from "../format.ts";
import type { DrawnBox, DrawnLine } from "../graph/drawn.ts";
import { Canvas } from "../graph/lazy.tsx";
import { type Plan, placesOf, planOf } from "../graph/plan.ts";
import { ActButton, DangerButton, useAct } from "../parts/act.tsx";
import { State, type Tone } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Editor } from "../parts/editor.tsx";
import { SelectField } from "../parts/field.tsx";
import { hex } from "../parts/json.tsx";
import { Logs } from "../parts/logs.tsx";
import { Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useEvents, useTail } from "../parts/stream.ts";
import { AN_OBJECT, typedJson } from "../parts/typed-json.ts";

type Status = Views["GraphStatus"];

/** One graph as it runs: rates as thickness, pressure as colour; stages with logs, records that pass, and its life. */
export function Stream() {
  const { name } = useParams({ strict: false }) as { name: string };
  const { data, error, isPending } = useQuery({
    queryKey: ["graph", name],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/graphs/{name}", { params: { path: { name } } })),
  });
  const shell = quoted(name);
  return (
    <Page
      title={name}
      lead={
        data === undefined ? undefined : (
          <span className="row">
            <State state={data.state} /> version {data.version}, wanted: {data.desired}, epoch {data.epoch}
          </span>
        )
      }
      cli={[
        `npx metanode stream status ${shell}`,
        `npx metanode stream run ${shell}`,
        `npx metanode stream stop ${shell}`,
        `npx metanode stream logs ${shell} -f`,
        `npx metanode stream tap ${shell} FROM TO`,
      ]}
      actions={data === undefined ? null : <Life graph={data} />}
    >
      {isPending ? <Loading what="the graph" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data?.reason === undefined ? null : (
        <Notice tone={data.state === "failed" || data.state === "crash-looping" ? "bad" : "warn"} title={`It is ${data.state}`}>
          <span className="wrap">{data.reason}</span>
        </Notice>
      )}
      {data === undefined ? null : <Live key={`${name} ${data.version}`} graph={data} />}
    </Page>
  );
}

function Life({ graph: { name, state, desired } }: { graph: Views["Graph"] }) {
  const navigate = useNavigate();
  const path = { params: { path: { name } } };
  const isUp = desired === "running" && state !== "completed" && state !== "failed";
  return (
    <>
      {isUp ? null : (
        <ActButton
          kind="primary"
          text="Run"
          done={`${name} runs`}
          work={() => answerOf(api.POST("/api/v1/graphs/{name}/run", path))}
        />
      )}
      {state === "running" ? (
        <ActButton text="Pause" done={`${name} is paused`} work={() => answerOf(api.POST("/api/v1/graphs/{name}/pause", path))} />
      ) : null}
      {state === "paused" ? (
        <ActButton
          kind="primary"
          text="Resume"
          done={`${name} goes on`}
          work={() => answerOf(api.POST("/api/v1/graphs/{name}/resume", path))}
        />
      ) : null}
      {isUp || state === "paused" ? (
        <ActButton
          text="Drain and stop"
          done={`${name} was drained and stopped`}
          work={() => answerOf(api.POST("/api/v1/graphs/{name}/stop", path))}
        />
      ) : null}
      {isUp || state === "paused" ? (
        <ActButton
          kind="danger"
          text="Stop now"
          done={`${name} was stopped; what was under way comes again at its next run`}
          work={() =>
            answerOf(api.POST("/api/v1/graphs/{name}/stop", { params: { path: { name }, query: { now: "true" as never } } }))
          }
        />
      ) : null}
      <Link className="button" to="/streams/new" search={{ name }}>
        Edit
      </Link>
      <DangerButton
        text="Remove"
        name={name}
        what="The graph, its history and its positions are forgotten. Stop it first."
        done={`${name} was removed`}
        needs="admin"
        work={(headers) => answerOf(api.DELETE("/api/v1/graphs/{name}", { ...path, headers }))}
        after={() => void navigate({ to: "/streams" })}
      />
    </>
  );
}

function Live({ graph }: { graph: Views["Graph"] }) {
  const { name } = graph;
  const { stage, edge } = useSearch({ strict: false }) as { stage?: string; edge?: string };
  const navigate = useNavigate();
  const [status, setStatus] = useState<Status>();
  const before = useRef<Status>(undefined);
  const [rates, setRates] = useState<ReadonlyMap<string, number>>(new Map());
  useEvents(`/api/v1/graphs/${encodeURIComponent(name)}/live?intervalMs=1000`, ({ event, data }) => {
    if (event !== "status") return;
    const next = JSON.parse(data) as Status;
    setRates(ratesOf(before.current, next));
    before.current = next;
    setStatus(next);
  });
  const plan = useMemo(() => planOf(graph.graph), [graph.graph]);
  const places = useMemo(() => placesOf(plan), [plan]);
  const commands = useMemo(() => commandsOf(graph.graph), [graph.graph]);
  const boxes = useMemo(() => boxesOf(plan, status, commands), [plan, status, commands]);
  const lines = useMemo(() => linesOf(plan, status, rates), [plan, status, rates]);
  const show = (next: { stage?: string; edge?: string }): void =>
    void navigate({ to: "/streams/$name", params: { name }, search: next, replace: true });
  return (
    <>
      <Canvas
        label={`Graph ${name}`}
        boxes={boxes}
        lines={lines}
        places={places}
        chosen={stage}
        onBox={(id) => show({ stage: id })}
        onLine={(from, to) => show({ edge: `${from}..${to}` })}
      />
      <p className="muted small">
        A line is as thick as its rate is high. Green flows, yellow waits, red is refused: the stage behind it is slower than what
        comes.
      </p>
      <div className="filters">
        <SelectField
          label="Stage"
          value={stage ?? ""}
          options={[["", "choose a stage"], ...plan.nodes.map((id) => [id, id] as const)]}
          onChange={(next) => show(next === "" ? {} : { stage: next })}
        />
        <SelectField
          label="Tap an edge"
          value={edge ?? ""}
          options={[["", "choose an edge"], ...plan.edges.map(({ from, to }) => [`${from}..${to}`, `${from} → ${to}`] as const)]}
          onChange={(next) => show(next === "" ? {} : { edge: next })}
        />
      </div>
      {stage === undefined ? null : <StageDetails key={stage} graph={graph} stage={stage} status={status} />}
      {edge === undefined ? null : <Tap key={edge} name={name} edge={edge} />}
      <History graph={graph} />
    </>
  );
}

function StageDetails({ graph, stage, status }: { graph: Views["Graph"]; stage: string; status: Status | undefined }) {
  const numbers = status?.nodes.find((one) => one.name === stage);
  const path = `/api/v1/graphs/${encodeURIComponent(graph.name)}/stages/${encodeURIComponent(stage)}/logs?tail=100`;
  return (
    <section className="card stack" aria-label={`Stage ${stage}`}>
      <header>
        <h2>{stage}</h2>
        <div className="row">
          <Upgrade graph={graph} stage={stage} />
          <Link className="button" to="/dead-letters" search={{ stream: `graph.${graph.name}.failed` }}>
            Its dead letters
          </Link>
        </div>
      </header>
      {numbers === undefined ? (
        <p className="muted">It does not run, so there are no numbers.</p>
      ) : (
        <dl className="facts">
          <dt>role</dt>
          <dd>{numbers.role}</dd>
          <dt>records out</dt>
          <dd>{short(numbers.out)}</dd>
          <dt>waiting</dt>
          <dd>
            {short(numbers.waiting)}
            {numbers.hasRoom ? "" : ", no room: it holds back what is before it"}
          </dd>
          {numbers.inFlight === undefined ? null : (
            <>
              <dt>not acknowledged</dt>
              <dd>
                {short(numbers.inFlight)} records, {bytes(numbers.inFlightBytes)}, the oldest for {duration(numbers.oldestAgeMs)}
              </dd>
            </>
          )}
          {Object.entries(numbers.counts).map(([what, value]) => (
            <div key={what} style={{ display: "contents" }}>
              <dt>{what}</dt>
              <dd>{short(value)}</dd>
            </div>
          ))}
        </dl>
      )}
      <Logs label={`Logs of ${stage}`} path={path} />
    </section>
  );
}

function Upgrade({ graph, stage }: { graph: Views["Graph"]; stage: string }) {
  const [text, setText] = useState<string>();
  const now = ((graph.graph.nodes as { name: string }[] | undefined) ?? []).find((one) => one.name === stage);
  const act = useAct(
    (change: Readonly<Record<string, unknown>>) =>
      answerOf(
        api.POST("/api/v1/graphs/{name}/stages/{stage}/upgrade", { params: { path: { name: graph.name, stage } }, body: change }),
      ),
    { done: `${stage} was upgraded; no record was lost`, after: () => setText(undefined) },
  );
  const parsed = typedJson(text ?? "{}", AN_OBJECT);
  return (
    <>
      <Button onClick={() => setText(JSON.stringify(now ?? {}, null, 2))}>Upgrade …</Button>
      <Dialog
        wide
        title={`Upgrade ${stage}`}
        open={text !== undefined}
        onClose={() => setText(undefined)}
        actions={
          <Button
            kind="primary"
            busy={act.isPending}
            disabled={parsed === undefined}
            onClick={() => parsed && act.mutate(parsed)}
          >
            Upgrade
          </Button>
        }
      >
        <p>The stage is replaced while the graph runs. What it had under way is done by it or comes again.</p>
        <Editor label="Stage" language="json" value={text ?? ""} onChange={setText} minHeight={220} />
        {parsed.problem === undefined ? null : <p role="alert">{parsed.problem}</p>}
      </Dialog>
    </>
  );
}

interface Tapped {
  readonly at: string;
  readonly text: string;
}

function Tap({ name, edge }: { name: string; edge: string }) {
  const path = `/api/v1/graphs/${encodeURIComponent(name)}/taps/${encodeURIComponent(edge)}?limit=100000&perSecond=20`;
  const { items, state, clear } = useTail<Tapped>(path, readTapped, 200);
  return (
    <section className="card stack" aria-label={`Records on ${edge}`}>
      <header>
        <h2>Records on {edge}</h2>
        <div className="row">
          <span className="badge" data-tone={state === "open" ? "good" : "none"}>
            {state}
          </span>
          <Button onClick={clear}>Clear</Button>
        </div>
      </header>
      <p className="muted small">At most 20 a second are shown; the graph is not slowed by it.</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keys */}
      <div className="log" role="log" aria-label={`Records on ${edge}`} tabIndex={0}>
        {items.length === 0 ? <span className="muted">No record has passed yet.</span> : null}
        {items.map(({ at, text }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: records may repeat
          <div key={index}>
            <span className="muted">{time(at)}</span> {text}
          </div>
        ))}
      </div>
    </section>
  );
}

function readTapped({ event, data }: { event: string; data: string }): Tapped | undefined {
  if (event !== "record") return undefined;
  const record = JSON.parse(data) as { at: string; text?: string; value?: unknown; base64?: string };
  return { at: record.at, text: record.text ?? textOf(record) };
}

/** Octets that are text as text, all others in hexadecimal. */
function textOf({ value, base64 }: { value?: unknown; base64?: string }): string {
  if (base64 === undefined) return JSON.stringify(value);
  try {
    const octets = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    return hex(base64);
  }
}

function History({ graph: { name, version } }: { graph: Views["Graph"] }) {
  const { data } = useQuery({
    queryKey: ["graph-history", name],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/graphs/{name}/history", { params: { path: { name } } })),
    refetchInterval: 10_000,
  });
  return (
    <section className="card stack" aria-labelledby="history">
      <h2 id="history">Versions</h2>
      <ul className="stack">
        {data?.items.map((one) => (
          <li className="row" key={one.version}>
            <strong>version {one.version}</strong>
            <span className="muted">{time(one.appliedAt)}</span>
            <code className="wrap">{one.document.expression ?? `${one.document.edges?.length ?? 0} edges`}</code>
            {one.version === version ? (
              <State state="running" />
            ) : (
              <ActButton
                text="Go back to it"
                needs="admin"
                done={`${name} is what version ${one.version} was`}
                work={() =>
                  answerOf(
                    api.POST("/api/v1/graphs/{name}/rollback", { params: { path: { name } }, body: { version: one.version } }),
                  )
                }
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function ratesOf(before: Status | undefined, now: Status): ReadonlyMap<string, number> {
  const seconds = before === undefined ? 0 : (Date.parse(now.at) - Date.parse(before.at)) / 1_000;
  const last = new Map(before?.edges.map(({ from, to, records }) => [`${from}..${to}`, records]));
  return new Map(
    now.edges.map(({ from, to, records }) => {
      const grown = records - (last.get(`${from}..${to}`) ?? records);
      return [`${from}..${to}`, seconds > 0 ? Math.max(0, grown / seconds) : 0];
    }),
  );
}

function commandsOf(graph: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const nodes = (graph.nodes as { name: string; command?: unknown; action?: unknown }[] | undefined) ?? [];
  return new Map(nodes.map(({ name, command, action }) => [name, textOfCommand(command ?? action)]));
}

function textOfCommand(command: unknown): string {
  if (Array.isArray(command)) return command.join(" ");
  return typeof command === "string" ? command : "";
}

function boxesOf({ nodes }: Plan, status: Status | undefined, commands: ReadonlyMap<string, string>): DrawnBox[] {
  const numbers = new Map(status?.nodes.map((one) => [one.name, one]));
  return nodes.map((id) => {
    const one = numbers.get(id);
    const kind = commands.get(id) ?? "";
    const lines = one === undefined ? [] : [`${short(one.out)} out, ${short(one.waiting)} waiting`];
    return {
      id,
      title: id,
      lines,
      tone: one === undefined ? "none" : one.hasRoom ? "good" : "warn",
      ...(kind === "" ? {} : { kind }),
    };
  });
}

function linesOf({ edges }: Plan, status: Status | undefined, rates: ReadonlyMap<string, number>): DrawnLine[] {
  const numbers = new Map(status?.edges.map((one) => [`${one.from}..${one.to}`, one]));
  const rooms = new Map(status?.nodes.map(({ name, hasRoom }) => [name, hasRoom]));
  return edges.map(({ from, to }) => {
    const id = `${from}..${to}`;
    const rate = rates.get(id) ?? 0;
    const one = numbers.get(id);
    const tone: Tone =
      one === undefined
        ? "none"
        : rooms.get(to) === false
          ? "bad"
          : one.refusals > 0 && rate > 0
            ? "warn"
            : rate > 0
              ? "good"
              : "none";
    const label = rate > 0 ? `${short(rate)}/s` : one === undefined || one.records === 0 ? undefined : short(one.records);
    return {
      from,
      to,
      tone,
      thickness: 1.5 + Math.log10(1 + rate),
      isMoving: rate > 0,
      ...(label === undefined ? {} : { label }),
    };
  });
}
