import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api, type Views } from "../api.ts";
import { time } from "../format.ts";
import { State } from "../parts/badge.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { type Column, DataTable } from "../parts/table.tsx";

const columns: Column<Views["Graph"]>[] = [
  {
    id: "name",
    header: "graph",
    value: ({ name }) => name,
    cell: ({ name }) => (
      <Link to="/streams/$name" params={{ name }}>
        {name}
      </Link>
    ),
  },
  { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
  {
    id: "expression",
    header: "expression",
    value: ({ document }) => document.expression ?? `${document.edges?.length ?? 0} edges`,
  },
  { id: "version", header: "version", value: ({ version }) => version },
  { id: "failures", header: "failures", value: ({ failures }) => failures },
  { id: "reason", header: "reason", value: ({ reason = "" }) => reason },
  { id: "applied", header: "applied", value: ({ appliedAt }) => appliedAt, cell: ({ appliedAt }) => time(appliedAt) },
];

/** The graphs of the node, and what their stages can be. */
export function Streams() {
  const graphs = useQuery({
    queryKey: ["graphs"],
    queryFn: () => answerOf(api.GET("/api/v1/graphs", { params: { query: { limit: 1_000 } } })),
  });
  const actions = useQuery({
    queryKey: ["actions"],
    queryFn: () => answerOf(api.GET("/api/v1/actions")),
    refetchInterval: 10_000,
  });
  const { data, error, isPending } = graphs;
  return (
    <Page
      title="Streams"
      lead="Graphs of programs, at least once."
      cli={[
        "npx metanode stream ls",
        "npx metanode stream plan 'a; (b || c); d'",
        "npx metanode stream apply FILE",
        "npx metanode action ls",
      ]}
      actions={
        <Link className="button" data-kind="primary" to="/streams/new">
          Draw a graph
        </Link>
      }
    >
      {isPending ? <Loading what="the graphs" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data?.items.length === 0 ? (
        <Empty title="No graph is applied yet" command="npx metanode stream apply graph.json --run">
          Any program that reads stdin and writes stdout is a stage. <Link to="/streams/new">Draw one here</Link>, or apply a
          file:
        </Empty>
      ) : null}
      {data !== undefined && data.items.length > 0 ? (
        <DataTable label="Graphs" rows={data.items} columns={columns} keyOf={({ name }) => name} />
      ) : null}
      <section className="stack" aria-labelledby="actions">
        <h2 id="actions">What stages can be</h2>
        <DataTable
          label="Actions"
          rows={actions.data?.items ?? []}
          keyOf={({ name, version = 0 }) => `${name} ${version}`}
          columns={[
            { id: "name", header: "action", value: ({ name }) => name },
            { id: "kind", header: "kind", value: ({ kind }) => kind },
            { id: "version", header: "version", value: ({ version }) => version ?? "" },
            { id: "summary", header: "what it does", value: ({ summary }) => summary },
          ]}
        />
      </section>
    </Page>
  );
}
