import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { api } from "../api.ts";
import { count, duration, short, time } from "../format.ts";
import { State } from "../parts/badge.tsx";
import { Empty, Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { Sparkline, useHistory } from "../parts/sparkline.tsx";
import { DataTable } from "../parts/table.tsx";

/** The node at a glance: how it is, how much it does, and what wants somebody's attention. */
export function Overview() {
  const node = useQuery({ queryKey: ["node"], queryFn: () => answerOf(api.GET("/api/v1/node")) });
  const stats = useQuery({ queryKey: ["stats"], queryFn: () => answerOf(api.GET("/api/v1/stats")) });
  const graphs = useQuery({ queryKey: ["graphs"], queryFn: () => answerOf(api.GET("/api/v1/graphs")) });
  const processors = useQuery({ queryKey: ["processors"], queryFn: () => answerOf(api.GET("/api/v1/processors")) });
  const kernel = useQuery({ queryKey: ["kernel"], queryFn: () => answerOf(api.GET("/api/v1/actors/kernel")) });
  const flows = useQuery({
    queryKey: ["workflow-stats"],
    queryFn: () => answerOf(api.GET("/api/v1/workflows/stats")),
    enabled: node.data !== undefined && "nature" in node.data.health.modules,
  });
  const rows = stats.data?.items ?? [];
  const handled = rows.reduce((sum, one) => sum + one.count, 0);
  const failed = rows.reduce((sum, one) => sum + failuresOf(one.failures), 0);
  const rates = useHistory(stats.dataUpdatedAt, handled);
  const rate = rates.at(-1) ?? 0;
  if (node.isPending) return <Loading what="the node" />;
  if (node.isError) return <Failure error={node.error} title="The node does not answer" />;
  const { name, version, startedAt, health, backlog, deadLetters, state } = node.data;
  const waiting = Object.values(backlog).reduce((sum, one) => sum + one, 0);
  const attention = attentionOf({
    health: health.modules,
    deadLetters,
    graphs: graphs.data?.items ?? [],
    failedTasks: flows.data?.backlog.failed ?? 0,
  });
  return (
    <Page
      title={name}
      lead={
        <span className="row">
          <State state={health.status} /> {state}, version {version}, up for {duration(Date.now() - Date.parse(startedAt))}, since{" "}
          {time(startedAt)}
        </span>
      }
      cli={["npx metanode status", "npx metanode messages --failed", "npx metanode doctor"]}
    >
      <section className="tiles" aria-label="Numbers">
        <Tile to="/messages" text="messages per second" value={short(rate)} extra={<Sparkline values={rates} />} />
        <Tile to="/messages" text="messages handled" value={short(handled)} />
        <Tile to="/messages" text="of them failed" value={short(failed)} tone={failed > 0 ? "warn" : "none"} />
        <Tile to="/messages" text="waiting in the log" value={short(waiting)} />
        <Tile to="/dead-letters" text="dead letters" value={short(deadLetters)} tone={deadLetters > 0 ? "bad" : "none"} />
        <Tile to="/processors" text="processors" value={short(processors.data?.items.length ?? 0)} />
        <Tile to="/actors" text="actors" value={short(kernel.data?.processes ?? 0)} />
        <Tile to="/workflows" text="relations" value={flows.data === undefined ? "–" : short(flows.data.relations)} />
        <Tile to="/streams" text="graphs" value={short(graphs.data?.items.length ?? 0)} />
      </section>
      <section className="card stack" aria-labelledby="attention">
        <h2 id="attention">Needs attention</h2>
        {attention.length === 0 ? (
          <p className="muted">Nothing. Every module works, and nothing was given up on.</p>
        ) : (
          attention.map(({ key, title, text, to, link }) => (
            <Notice key={key} tone="warn" title={title}>
              <span className="wrap">{text}</span>
              <Link to={to as "/"}>{link}</Link>
            </Notice>
          ))
        )}
      </section>
      <section className="card" aria-labelledby="modules">
        <h2 id="modules">What it hosts</h2>
        <ul className="row">
          {Object.entries(health.modules).map(([module, { status }]) => (
            <li key={module} className="row">
              <State state={status} /> {module}
            </li>
          ))}
        </ul>
      </section>
      <section className="stack" aria-labelledby="types">
        <h2 id="types">Messages by type</h2>
        {rows.length === 0 ? (
          <Empty title="No message has been dispatched since the start" command="npx metanode types">
            <Link to="/messages/send">Send one</Link>
          </Empty>
        ) : (
          <DataTable
            label="Messages by type"
            rows={rows}
            keyOf={({ type }) => type}
            columns={[
              { id: "type", header: "type", value: ({ type }) => type, cell: ({ type }) => <TypeLink type={type} /> },
              { id: "count", header: "handled", value: (one) => one.count, cell: (one) => count(one.count) },
              { id: "failed", header: "failed", value: ({ failures }) => failuresOf(failures) },
              { id: "inFlight", header: "in flight", value: ({ inFlight }) => inFlight },
              { id: "mean", header: "mean time", value: ({ meanMs }) => meanMs, cell: ({ meanMs }) => duration(meanMs) },
            ]}
          />
        )}
      </section>
    </Page>
  );
}

function TypeLink({ type }: { type: string }) {
  return (
    <Link to="/messages" search={{ type }}>
      {type}
    </Link>
  );
}

function Tile(props: { to: string; text: string; value: string; tone?: "none" | "warn" | "bad"; extra?: ReactNode }) {
  const { to, text, value, tone = "none", extra } = props;
  return (
    <Link className="tile" to={to as "/"} data-tone={tone}>
      <span className="muted small">{text}</span>
      <strong>{value}</strong>
      {extra}
    </Link>
  );
}

interface Attention {
  readonly key: string;
  readonly title: string;
  readonly text: string;
  readonly to: string;
  readonly link: string;
}

function attentionOf(found: {
  health: Record<string, { status: string; reasons: string[] }>;
  deadLetters: number;
  graphs: readonly { name: string; state: string; reason?: string | undefined }[];
  failedTasks: number;
}): Attention[] {
  const list: Attention[] = [];
  for (const [module, { status, reasons }] of Object.entries(found.health)) {
    if (status !== "ok") {
      const to =
        { processors: "/processors", actors: "/actors", nature: "/workflows", streams: "/streams", tree: "/tree" }[module] ?? "/";
      list.push({ key: module, title: `${module} is ${status}`, text: reasons.join("; "), to, link: `See ${module}` });
    }
  }
  if (found.deadLetters > 0) {
    const text = `${count(found.deadLetters)} were given up on after their retries.`;
    list.push({ key: "dead", title: "Dead letters", text, to: "/dead-letters", link: "Read, edit and replay them" });
  }
  if (found.failedTasks > 0) {
    const text = `${count(found.failedTasks)} tasks of workflows have failed for good.`;
    list.push({ key: "tasks", title: "Failed tasks", text, to: "/workflows?view=failures", link: "See why, and replay them" });
  }
  for (const { name, state, reason = "" } of found.graphs) {
    if (state === "failed" || state === "crash-looping") {
      list.push({
        key: `graph ${name}`,
        title: `graph ${name} is ${state}`,
        text: reason,
        to: `/streams/${name}`,
        link: "See the graph",
      });
    }
  }
  return list;
}

function failuresOf(failures: Readonly<Record<string, number>>): number {
  return Object.values(failures).reduce((sum, one) => sum + one, 0);
}
