import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api, type Views } from "../api.ts";
import { bytes } from "../format.ts";
import { State } from "../parts/badge.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { type Column, DataTable } from "../parts/table.tsx";

const columns: Column<Views["Processor"]>[] = [
  {
    id: "name",
    header: "name",
    value: ({ name }) => name,
    cell: ({ name }) => (
      <Link to="/processors/$name" params={{ name }}>
        {name}
      </Link>
    ),
  },
  { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
  { id: "types", header: "types", value: ({ types }) => types.map(({ type }) => type).join(", ") },
  { id: "processes", header: "processes", value: readyOf, cell: (one) => `${readyOf(one)} of ${one.processes.length}` },
  { id: "inFlight", header: "in flight", value: ({ inFlight }) => inFlight },
  { id: "queued", header: "queued", value: ({ queued }) => queued },
  { id: "restarts", header: "restarts", value: (one) => sum(one, ({ restarts }) => restarts) },
  { id: "memory", header: "memory", value: memoryOf, cell: (one) => bytes(memoryOf(one)) },
];

/** The pools of processes that handle messages. */
export function Processors() {
  const { data, error, isPending } = useQuery({
    queryKey: ["processors"],
    queryFn: () => answerOf(api.GET("/api/v1/processors")),
  });
  return (
    <Page
      title="Processors"
      lead="Separate processes that handle messages by type."
      cli={["npx metanode processor ls", "npx metanode processor add NAME --file FILE", "npx metanode types"]}
    >
      {isPending ? <Loading what="the processors" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data?.items.length === 0 ? (
        <Empty
          title="This node hosts no processor yet"
          command={
            'npx metanode processor add pricing --file pricing.ts\nnpx metanode call order.price \'{"sku": "tea", "amount": 2}\''
          }
        >
          A processor is a program that says which types it handles. Write one, and add it:
        </Empty>
      ) : null}
      {data !== undefined && data.items.length > 0 ? (
        <DataTable label="Processors" rows={data.items} columns={columns} keyOf={({ name }) => name} />
      ) : null}
    </Page>
  );
}

function readyOf({ processes }: Views["Processor"]): number {
  return processes.filter(({ state }) => state === "ready").length;
}

function memoryOf(one: Views["Processor"]): number {
  return sum(one, ({ memoryBytes = 0 }) => memoryBytes);
}

function sum({ processes }: Views["Processor"], of: (one: Views["Processor"]["processes"][number]) => number): number {
  return processes.reduce((total, one) => total + of(one), 0);
}
