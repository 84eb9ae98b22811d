import { errorOf, readEvents } from "@metanode/client";
import { Link } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { api } from "../api.ts";
import { duration } from "../format.ts";
import { Badge, type Tone } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { TextField } from "../parts/field.tsx";
import { Failure, Notice } from "../parts/notice.tsx";
import { useMay } from "../parts/role.ts";
import { DataTable } from "../parts/table.tsx";

interface Outcome {
  readonly id: string;
  readonly path: string;
  readonly status: string;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
  readonly ms?: number;
}

interface Done {
  readonly verdict: boolean;
  readonly policy: string;
  readonly tally: Readonly<Record<string, number>>;
}

interface Run {
  readonly operation: string;
  readonly isDry: boolean;
  readonly targets: readonly { readonly path: string }[];
  readonly outcomes: readonly Outcome[];
  readonly done?: Done;
  readonly error?: unknown;
}

const TONES: Readonly<Record<string, Tone>> = { ok: "good", skipped: "warn", released: "warn" };

/** A message for every node that is meant: who would be asked, and what each answers as it comes. */
export function ForAll() {
  const may = useMay("operator");
  const [form, setForm] = useState({
    type: "metanode.node.ping",
    data: "",
    where: "",
    policy: "all",
    batch: "",
    canary: "",
    maxFailures: "",
  });
  const [run, setRun] = useState<Run>();
  const abort = useRef<AbortController>(undefined);
  const set = (name: keyof typeof form) => (value: string) => setForm({ ...form, [name]: value });
  const problem = problemOf(form.data);
  const isRunning = run !== undefined && run.done === undefined && run.error === undefined;
  const start = async (isDry: boolean): Promise<void> => {
    abort.current?.abort();
    const controller = new AbortController();
    abort.current = controller;
    const operation = crypto.randomUUID();
    let next: Run = { operation, isDry, targets: [], outcomes: [] };
    setRun(next);
    try {
      for await (const event of eventsOf(bodyOf(form, { operation, isDry }), controller.signal)) {
        next = taken(next, event);
        setRun(next);
      }
    } catch (error) {
      if (!controller.signal.aborted) setRun({ ...next, error });
    }
  };
  return (
    <section className="stack" aria-label="For all">
      <div className="filters">
        <TextField label="Type" value={form.type} onChange={set("type")} />
        <TextField
          label="Which nodes"
          value={form.where}
          onChange={set("where")}
          placeholder="region=eu"
          hint="Every node without it"
        />
        <TextField label="Policy" value={form.policy} onChange={set("policy")} hint="all, any, none, best-effort, 3, 90%" />
      </div>
      <TextField
        label="Payload"
        value={form.data}
        onChange={set("data")}
        rows={3}
        problem={problem}
        hint="JSON; nothing without it"
      />
      <div className="filters">
        <TextField label="Batch" value={form.batch} onChange={set("batch")} type="number" hint="So many at a time" />
        <TextField label="Canaries" value={form.canary} onChange={set("canary")} type="number" hint="So many first" />
        <TextField
          label="Most failures"
          value={form.maxFailures}
          onChange={set("maxFailures")}
          type="number"
          hint="Then nobody else"
        />
      </div>
      <div className="row">
        <Button {...may} onClick={() => void start(true)}>
          Who would be asked
        </Button>
        <Button
          kind="primary"
          {...may}
          busy={isRunning}
          disabled={may.disabled === true || problem !== undefined || form.type === ""}
          onClick={() => void start(false)}
        >
          Send to all
        </Button>
        {isRunning && !run.isDry ? <Controls run={run} onWithdraw={() => abort.current?.abort()} /> : null}
      </div>
      {run === undefined ? null : <Result run={run} />}
    </section>
  );
}

function Controls({ run, onWithdraw }: { run: Run; onWithdraw: () => void }) {
  const [isPaused, setPaused] = useState(false);
  const act = async (action: "pause" | "resume"): Promise<void> => {
    await api.POST("/api/v1/tree/runs/{operation}/{action}", {
      params: { path: { operation: run.operation, action } },
      body: {},
    });
    setPaused(action === "pause");
  };
  return (
    <>
      <Button onClick={() => void act(isPaused ? "resume" : "pause")}>{isPaused ? "Resume" : "Pause"}</Button>
      <Button kind="danger" onClick={onWithdraw}>
        Withdraw
      </Button>
    </>
  );
}

function Result({ run }: { run: Run }) {
  const { targets, outcomes, done, isDry, error } = run;
  if (error !== undefined) return <Failure error={error} />;
  if (isDry) {
    return (
      <Notice title={`${targets.length} nodes would be asked`}>
        <ul>
          {targets.slice(0, 200).map(({ path }) => (
            <li key={path}>{path}</li>
          ))}
        </ul>
      </Notice>
    );
  }
  return (
    <>
      <progress max={Math.max(1, targets.length)} value={outcomes.length} aria-label="Nodes that have ended" />
      <p role="status">
        {outcomes.length} of {targets.length}
        {done === undefined ? "" : `; policy ${done.policy} is ${done.verdict ? "met" : "not met"}`}
      </p>
      {outcomes.length === 0 ? null : (
        <DataTable
          label="Outcomes"
          rows={outcomes}
          keyOf={({ id, path }) => `${id} ${path}`}
          columns={[
            {
              id: "path",
              header: "node",
              value: ({ path }) => path,
              cell: ({ path }) => (
                <Link to="/tree/node" search={{ path }}>
                  {path}
                </Link>
              ),
            },
            {
              id: "status",
              header: "result",
              value: ({ status }) => status,
              cell: ({ status, code }) => (
                <Badge tone={TONES[status] ?? "bad"}>{status === "ok" ? status : `${status} ${code ?? ""}`}</Badge>
              ),
            },
            {
              id: "value",
              header: "answer",
              value: ({ value, message = "" }) => (value === undefined ? message : JSON.stringify(value)),
            },
            { id: "ms", header: "time", value: ({ ms = 0 }) => ms, cell: ({ ms }) => (ms === undefined ? "" : duration(ms)) },
          ]}
        />
      )}
    </>
  );
}

type ForAllEvent = { readonly kind: string } & Partial<Outcome> & Partial<Done>;

function taken(run: Run, event: ForAllEvent): Run {
  if (event.kind === "target") return { ...run, targets: [...run.targets, { path: event.path ?? "" }] };
  if (event.kind === "outcome") return { ...run, outcomes: [...run.outcomes, event as unknown as Outcome] };
  return { ...run, done: event as unknown as Done };
}

async function* eventsOf(body: object, signal: AbortSignal): AsyncGenerator<ForAllEvent> {
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await api.raw("/api/v1/tree/all", { method: "POST", headers, body: JSON.stringify(body), signal });
  if (response.body === null) return;
  for await (const { event, data } of readEvents(chunksOf(response.body))) {
    if (event === "end") return;
    const value: unknown = JSON.parse(data);
    if (event === "problem") throw errorOf(response, value);
    yield value as ForAllEvent;
  }
}

/** Not every browser iterates over a stream by itself. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function bodyOf(form: Readonly<Record<string, string>>, { operation, isDry }: { operation: string; isDry: boolean }): object {
  const number = (name: string) => (form[name] ? { [name]: Number(form[name]) } : {});
  return {
    type: form.type,
    operation,
    ...(form.data?.trim() ? { data: JSON.parse(form.data) as unknown } : {}),
    ...(form.where ? { where: form.where } : {}),
    ...(form.policy ? { policy: /^\d+$/.test(form.policy) ? Number(form.policy) : form.policy } : {}),
    ...number("batch"),
    ...number("canary"),
    ...number("maxFailures"),
    ...(isDry ? { dryRun: true } : {}),
  };
}

function problemOf(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `no JSON: ${(error as Error).message}`;
  }
}
