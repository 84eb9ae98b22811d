import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { api } from "../api.ts";
import { duration, time } from "../format.ts";
import { Badge } from "../parts/badge.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";

/** The way of one message through all the models, step by step. */
export function Trace() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { data, error, isPending } = useQuery({
    queryKey: ["trace", id],
    queryFn: () => answerOf(api.GET("/api/v1/traces/{traceId}", { params: { path: { traceId: id } } })),
    retry: false,
  });
  const steps = data?.items ?? [];
  const firstMs = Date.parse(steps[0]?.at ?? "");
  return (
    <Page title="Trace" lead={<code className="wrap">{id}</code>} cli={[`npx metanode trace ${id}`]}>
      {isPending ? <Loading what="the trace" /> : null}
      {error === null ? null : <Failure error={error} title="Nothing of this trace is known (any more)" />}
      {data !== undefined && steps.length === 0 ? <Empty title="Nothing has happened in this trace yet" /> : null}
      <ol className="card timeline" aria-label="Steps">
        {steps.map(({ sequence, at, kind, what, type, member, ms, code }) => (
          <li key={sequence}>
            <span className="muted number" title={time(at)}>
              +{duration(Math.max(0, Date.parse(at) - firstMs))}
            </span>
            <Badge tone={code === undefined ? "good" : "bad"}>{kind}</Badge>
            <span>
              <strong>{type ?? what}</strong> {type === undefined ? null : <span className="mono">{what}</span>}{" "}
              {member === undefined ? null : <span className="muted">by {member}</span>}{" "}
              {ms === undefined ? null : <span className="muted">in {duration(ms)}</span>}{" "}
              {code === undefined ? null : <code>{code}</code>}
            </span>
          </li>
        ))}
      </ol>
    </Page>
  );
}
