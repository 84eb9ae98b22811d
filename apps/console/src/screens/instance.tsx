import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { api, type Views } from "../api.ts";
import { quoted, time } from "../format.ts";
import { Value } from "../parts/json.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { States } from "./workflows.tsx";

type Instance = Views["WorkflowInstance"];

/** One version of an instance: what it holds, what it was made of, what was made of it, and its other versions. */
export function Instance() {
  const { key } = useParams({ strict: false }) as { key: string };
  const params = { params: { path: { key } } };
  const { data, error, isPending } = useQuery({
    queryKey: ["instance", key],
    queryFn: () => answerOf(api.GET("/api/v1/instances/{key}", params)),
    refetchInterval: false,
  });
  const shell = quoted(key);
  const traceId = data?.context.traceparent?.split("-")[1];
  return (
    <Page
      title={data === undefined ? key : `${data.meta}`}
      lead={data === undefined ? undefined : <States states={data.states} />}
      cli={[
        `npx metanode instance get ${shell}`,
        `npx metanode instance upstream ${shell}`,
        `npx metanode instance downstream ${shell}`,
        `npx metanode instance versions ${shell}`,
      ]}
      actions={
        traceId === undefined ? null : (
          <Link className="button" to="/traces/$id" params={{ id: traceId }}>
            Its trace
          </Link>
        )
      }
    >
      {isPending ? <Loading what="the instance" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data === undefined ? null : (
        <>
          <div className="grid">
            <section className="card">
              <dl className="facts">
                <dt>key</dt>
                <dd className="mono">{data.key}</dd>
                <dt>id</dt>
                <dd className="mono">{data.id}</dd>
                <dt>para</dt>
                <dd className="mono">{data.para === "" ? "–" : data.para}</dd>
                <dt>version</dt>
                <dd>{data.version}</dd>
                <dt>stored</dt>
                <dd>{time(data.createdAt)}</dd>
                {Object.entries({ ...data.context, ...data.sysContext }).map(([name, value]) => (
                  <div key={name} style={{ display: "contents" }}>
                    <dt>{name}</dt>
                    <dd className="mono">{value}</dd>
                  </div>
                ))}
              </dl>
            </section>
            <section className="card" aria-labelledby="content">
              <h2 id="content">Content</h2>
              <Value value={data.content} label="Content" />
            </section>
          </div>
          <div className="grid">
            <Upstream of={key} />
            <Downstream of={key} />
          </div>
          <Versions of={key} current={data.version} />
        </>
      )}
    </Page>
  );
}

function Upstream({ of: key }: { of: string }) {
  const { data, error } = useQuery({
    queryKey: ["upstream", key],
    queryFn: () => answerOf(api.GET("/api/v1/instances/{key}/upstream", { params: { path: { key }, query: { limit: 100 } } })),
    refetchInterval: false,
  });
  return <Lineage title="Upstream: what it was made of" items={data?.items} error={error} empty="It came in from outside." />;
}

function Downstream({ of: key }: { of: string }) {
  const { data, error } = useQuery({
    queryKey: ["downstream", key],
    queryFn: () => answerOf(api.GET("/api/v1/instances/{key}/downstream", { params: { path: { key }, query: { limit: 200 } } })),
  });
  return (
    <Lineage title="Downstream: what was made of it" items={data?.items} error={error} empty="Nothing was made of it (yet)." />
  );
}

function Lineage(props: { title: string; items: readonly Instance[] | undefined; error: unknown; empty: string }) {
  const { title, items, error, empty } = props;
  return (
    <section className="card stack" aria-label={title}>
      <h2>{title}</h2>
      {error === null ? null : <Failure error={error} />}
      {items?.length === 0 ? <Empty title={empty} /> : null}
      <ol className="stack">
        {items?.map((one) => (
          <li className="row" key={`${one.key} ${one.version}`}>
            <Link to="/workflows/instances/$key" params={{ key: one.key }}>
              {one.meta}:{one.id.length > 12 ? `${one.id.slice(0, 12)}…` : one.id}
            </Link>
            <States states={one.states} />
            <span className="muted small">{time(one.createdAt)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Versions({ of: key, current }: { of: string; current: number }) {
  const { data, error } = useQuery({
    queryKey: ["versions", key],
    queryFn: () => answerOf(api.GET("/api/v1/instances/{key}/versions", { params: { path: { key }, query: { limit: 100 } } })),
  });
  return (
    <section className="card stack" aria-labelledby="versions">
      <h2 id="versions">Versions</h2>
      {error === null ? null : <Failure error={error} />}
      <ol className="stack">
        {data?.items.map((one) => (
          <li className="row" key={one.version}>
            <Link
              to="/workflows/instances/$key"
              params={{ key: one.key }}
              aria-current={one.version === current ? "true" : undefined}
            >
              version {one.version}
            </Link>
            <States states={one.states} />
            <span className="muted small">{time(one.createdAt)}</span>
            <code className="wrap">{one.content.slice(0, 120)}</code>
          </li>
        ))}
      </ol>
    </section>
  );
}
