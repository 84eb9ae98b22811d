import { answerOf } from "@metanode/client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { api, type Views } from "../api.ts";
import { count, duration, quoted, short, time } from "../format.ts";
import { ActButton, DangerButton } from "../parts/act.tsx";
import { Badge } from "../parts/badge.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { Empty, Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { WorkflowMap } from "./workflow-map.tsx";

/** What is declared, what flows, what waits and what failed. */
export function Workflows() {
  const node = useQuery({ queryKey: ["node"], queryFn: () => answerOf(api.GET("/api/v1/node")) });
  if (node.isError) return <Failure error={node.error} title="The node does not answer" />;
  if (node.data === undefined) return <Loading what="the workflows" />;
  return "nature" in node.data.health.modules ? <On /> : <Off />;
}

function On() {
  const { view = "map" } = useSearch({ strict: false }) as { view?: string };
  const { data, error } = useQuery({
    queryKey: ["workflow-stats", "counts"],
    queryFn: () => answerOf(api.GET("/api/v1/workflows/stats", { params: { query: { counts: "true" as never } } })),
    retry: false,
  });
  const tab = (text: string, name: string) => ({ text, to: "/workflows", search: { view: name }, isCurrent: view === name });
  return (
    <Page
      title="Workflows"
      lead={
        data === undefined
          ? undefined
          : `${count(data.metas)} metas, ${count(data.relations)} relations; ${short(data.engine.stored)} instances stored since the start, ${short(data.backlog.owned + data.backlog.due + data.backlog.delayed)} tasks wait, ${short(data.backlog.failed)} have failed`
      }
      cli={["npx metanode meta ls", "npx metanode relation ls", "npx metanode instance ls", "npx metanode task failed"]}
      actions={
        <Link className="button" to="/workflows/declare">
          Declare …
        </Link>
      }
    >
      {error === null ? null : <Failure error={error} />}
      {data?.problems.map(({ what, text }) => (
        <Notice key={what} tone="warn" title={what}>
          {text}
        </Notice>
      ))}
      <Tabs
        label="Views of the workflows"
        tabs={[tab("Map", "map"), tab("Instances", "instances"), tab("Tasks", "tasks"), tab("Failures", "failures")]}
      />
      {view === "map" ? <WorkflowMap stats={data} /> : null}
      {view === "instances" ? <Instances counts={data?.counts ?? []} /> : null}
      {view === "tasks" ? <Tasks /> : null}
      {view === "failures" ? <Failures /> : null}
    </Page>
  );
}

function Off() {
  return (
    <Page title="Workflows" cli={["npx metanode meta ls"]}>
      <Empty title="This node runs no workflows" command={"# metanode.yaml\nnature:\n  enabled: true"}>
        Turn them on in the node's configuration, and start it again.
      </Empty>
    </Page>
  );
}

const instanceColumns: Column<Views["WorkflowInstance"]>[] = [
  {
    id: "key",
    header: "instance",
    value: ({ key }) => key,
    cell: ({ key }) => (
      <Link to="/workflows/instances/$key" params={{ key }}>
        {key}
      </Link>
    ),
  },
  { id: "states", header: "states", value: ({ states }) => states.join(", "), cell: ({ states }) => <States states={states} /> },
  { id: "version", header: "version", value: ({ version }) => version },
  { id: "content", header: "content", value: ({ content }) => content.slice(0, 200) },
  { id: "from", header: "made of", value: ({ from }) => (from === undefined ? "" : `${from.meta}:${from.id}`) },
  { id: "created", header: "stored", value: ({ createdAt }) => createdAt, cell: ({ createdAt }) => time(createdAt) },
];

export function States({ states }: { states: readonly string[] }) {
  return (
    <span className="row">
      {states.map((state) => (
        <Badge key={state}>{state}</Badge>
      ))}
    </span>
  );
}

function Instances({ counts }: { counts: NonNullable<Views["WorkflowStats"]["counts"]> }) {
  const { meta, state } = useSearch({ strict: false }) as { meta?: string; state?: string };
  const navigate = useNavigate();
  const { data, error, isPending, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ["instances", meta],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor }) =>
      answerOf(
        api.GET("/api/v1/instances", {
          params: { query: { limit: 500, ...(meta === undefined ? {} : { meta }), ...(cursor === undefined ? {} : { cursor }) } },
        }),
      ),
    getNextPageParam: ({ next }) => next,
    refetchInterval: 4_000,
  });
  const all = data?.pages.flatMap(({ items }) => items) ?? [];
  const rows = state === undefined ? all : all.filter(({ states }) => states.includes(state));
  const set = (next: { meta?: string; state?: string }): void =>
    void navigate({ to: "/workflows", search: { view: "instances", ...next } as never, replace: true });
  const chosen = counts.find((one) => one.meta === meta);
  return (
    <section className="stack" aria-label="Instances">
      <div className="filters">
        <SelectField
          label="Meta"
          value={meta ?? ""}
          options={[["", "all"], ...counts.map((one) => [one.meta, `${one.meta} (${short(one.instances)})`] as const)]}
          onChange={(next) => set(next === "" ? {} : { meta: next })}
        />
        <TextField
          label="State"
          value={state ?? ""}
          hint="Of what is loaded"
          onChange={(next) => set({ ...(meta === undefined ? {} : { meta }), ...(next === "" ? {} : { state: next }) })}
        />
      </div>
      {chosen === undefined ? null : (
        <div className="row">
          {chosen.states.map((one) => (
            <Link key={one.state} to="/workflows" search={{ view: "instances", meta: chosen.meta, state: one.state }}>
              {one.state}: {count(one.lines)}
            </Link>
          ))}
        </div>
      )}
      {isPending ? <Loading what="the instances" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data !== undefined && rows.length === 0 ? (
        <Empty title="No instance is stored here" command={"npx metanode instance put META '{…}'"}>
          An instance comes from an input: put one in, or send a message whose type is an input.
        </Empty>
      ) : null}
      {rows.length > 0 ? (
        <DataTable
          label="Instances"
          rows={rows}
          columns={instanceColumns}
          keyOf={({ key }) => key}
          onReachEnd={hasNextPage && !isFetchingNextPage ? () => void fetchNextPage() : undefined}
        />
      ) : null}
    </section>
  );
}

function Tasks() {
  const { data, error, isPending } = useQuery({
    queryKey: ["tasks"],
    queryFn: () => answerOf(api.GET("/api/v1/tasks", { params: { query: { limit: 500 } } })),
  });
  if (isPending) return <Loading what="the tasks" />;
  if (error !== null) return <Failure error={error} />;
  if (data.items.length === 0) return <Empty title="No task waits">Every instance has gone along all of its relations.</Empty>;
  return (
    <DataTable
      label="Tasks"
      rows={data.items}
      keyOf={({ id }) => id}
      columns={[
        { id: "from", header: "from", value: ({ upstream: { meta, id } }) => `${meta}:${id}` },
        { id: "to", header: "to", value: ({ to }) => to },
        { id: "attempts", header: "attempts", value: ({ attempts }) => attempts },
        { id: "due", header: "due", value: ({ dueAt }) => dueAt, cell: ({ dueAt }) => time(dueAt) },
        { id: "owned", header: "under way", value: ({ isOwned = false }) => (isOwned ? "yes" : "no") },
        { id: "error", header: "last error", value: ({ error: text = "" }) => text },
      ]}
    />
  );
}

function Failures() {
  const { data, error, isPending } = useQuery({
    queryKey: ["failed-tasks"],
    queryFn: () => answerOf(api.GET("/api/v1/tasks/failed", { params: { query: { limit: 500 } } })),
  });
  if (isPending) return <Loading what="the failures" />;
  if (error !== null) return <Failure error={error} />;
  if (data.items.length === 0) {
    return (
      <Empty title="No task has failed for good" command="npx metanode task failed">
        A task comes here when it has failed as often as its relation allows; from here it can be replayed.
      </Empty>
    );
  }
  return (
    <ul className="stack">
      {data.items.map(({ id, upstream, to, code, error: text, attempts, failedAt }) => (
        <li className="card stack" key={id}>
          <header>
            <h2 className="wrap">
              {upstream.meta}:{upstream.id} → {to}
            </h2>
            <div className="row">
              <ActButton
                kind="primary"
                text="Replay"
                done="It is tried again"
                work={() => answerOf(api.POST("/api/v1/tasks/failed/{id}/replay", { params: { path: { id } }, body: null }))}
              />
              <DangerButton
                text="Drop"
                name={to}
                what="The task is forgotten; the instance that it would have made is never made."
                done="It was dropped"
                work={(headers) => answerOf(api.DELETE("/api/v1/tasks/failed/{id}", { params: { path: { id } }, headers }))}
              />
            </div>
          </header>
          <p className="wrap">
            <code>{code}</code> {text}
          </p>
          <p className="muted">
            after {attempts} attempts, {time(failedAt)}, {duration(Date.now() - Date.parse(failedAt))} ago;{" "}
            <code>npx metanode task replay {quoted(id)}</code>
          </p>
        </li>
      ))}
    </ul>
  );
}
