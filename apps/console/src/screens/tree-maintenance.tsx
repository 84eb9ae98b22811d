import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../api.ts";
import { duration, time } from "../format.ts";
import { Badge } from "../parts/badge.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { DataTable } from "../parts/table.tsx";

/** What is in maintenance, the oldest first, and what was. */
export function Maintenance() {
  const { data, error, isPending } = useQuery({
    queryKey: ["tree", "state!=active"],
    queryFn: () => answerOf(api.GET("/api/v1/tree", { params: { query: { where: "state!=active" } } })),
  });
  const rows = (data?.nodes ?? []).flatMap(({ path, maintenance }) =>
    maintenance === undefined ? [] : [{ path, ...maintenance }],
  );
  return (
    <section className="stack" aria-label="Maintenance">
      {isPending ? <Loading what="the maintenance" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data !== undefined && rows.length === 0 ? (
        <Empty title="No node is in maintenance" command="npx metanode maintain PATH on --reason 'new disk'">
          A node in maintenance takes nothing new and finishes what it has; others answer meanwhile.
        </Empty>
      ) : null}
      {rows.length > 0 ? (
        <DataTable
          label="In maintenance"
          rows={rows}
          keyOf={({ path }) => path}
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
            { id: "state", header: "state", value: ({ state }) => state },
            {
              id: "since",
              header: "for",
              value: ({ since }) => since,
              cell: ({ since }) => duration(Date.now() - Date.parse(since)),
            },
            {
              id: "expires",
              header: "until",
              value: ({ expires = "" }) => expires,
              cell: ({ expires }) =>
                expires === undefined ? (
                  ""
                ) : (
                  <Badge tone={Date.parse(expires) < Date.now() ? "bad" : "none"}>{time(expires)}</Badge>
                ),
            },
            { id: "by", header: "by", value: ({ by }) => by },
            { id: "reason", header: "reason", value: ({ reason }) => reason },
          ]}
        />
      ) : null}
      <Done />
    </section>
  );
}

/** What was done to the tree lately. */
function Done() {
  const { data, error } = useQuery({
    queryKey: ["tree-audit"],
    queryFn: () => answerOf(api.GET("/api/v1/tree/audit", { params: { query: { limit: 200 } } })),
    retry: false,
  });
  if (error !== null) return <Failure error={error} title="What was done is for admins to see" />;
  if (data === undefined || data.items.length === 0) return null;
  return (
    <>
      <h2>During the last day</h2>
      <DataTable
        label="Done to the tree"
        rows={data.items}
        keyOf={({ operation, at }) => `${operation} ${at}`}
        columns={[
          { id: "at", header: "at", value: ({ at }) => at, cell: ({ at }) => time(at) },
          { id: "who", header: "who", value: ({ caller }) => caller },
          { id: "what", header: "what", value: ({ verb }) => verb },
          { id: "target", header: "target", value: ({ target }) => target },
          {
            id: "result",
            header: "result",
            value: ({ ok, code = "" }) => (ok === undefined ? "runs" : ok ? "ok" : code),
            cell: ({ ok, code }) => (
              <Badge tone={ok === undefined ? "none" : ok ? "good" : "bad"}>
                {ok === undefined ? "runs" : ok ? "ok" : (code ?? "not met")}
              </Badge>
            ),
          },
        ]}
      />
    </>
  );
}
