import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, type Views } from "../api.ts";
import { duration, short } from "../format.ts";
import { BOX_SIZE, type DrawnBox, type DrawnLine } from "../graph/drawn.ts";
import { placed } from "../graph/layout.ts";
import { Canvas } from "../graph/lazy.tsx";
import { State } from "../parts/badge.tsx";
import { SelectField } from "../parts/field.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";

type Kind = "relation" | "flow" | "domain";
const KINDS = [
  ["relation", "relations: what follows from what"],
  ["flow", "flow: how much went along them"],
  ["domain", "domains: metas by their names"],
] as const;

/** The map of what is declared, in the three views that Nature's manager has. */
export function WorkflowMap({ stats }: { stats: Views["WorkflowStats"] | undefined }) {
  const { map = "relation" } = useSearch({ strict: false }) as { map?: Kind };
  const navigate = useNavigate();
  const metas = useQuery({ queryKey: ["metas"], queryFn: () => answerOf(api.GET("/api/v1/metas")) });
  const relations = useQuery({ queryKey: ["relations"], queryFn: () => answerOf(api.GET("/api/v1/relations")) });
  const error = metas.error ?? relations.error;
  if (error !== null) return <Failure error={error} />;
  if (metas.data === undefined || relations.data === undefined) return <Loading what="the map" />;
  if (metas.data.items.length === 0) {
    return (
      <Empty title="Nothing is declared yet" command="npx metanode meta apply flows.ts">
        Metas are types of instances, and relations say what follows from what.{" "}
        <Link to="/workflows/declare">Declare some here</Link>, or from a file:
      </Empty>
    );
  }
  return (
    <section className="stack" aria-label="Map">
      <div className="filters">
        <SelectField<Kind>
          label="View"
          value={map}
          options={KINDS}
          onChange={(next) => void navigate({ to: "/workflows", search: { view: "map", map: next }, replace: true })}
        />
      </div>
      {map === "domain" ? (
        <Domains metas={metas.data.items} />
      ) : (
        <Drawing metas={metas.data.items} relations={relations.data.items} stats={stats} isFlow={map === "flow"} />
      )}
    </section>
  );
}

function Drawing(props: {
  metas: readonly Views["WorkflowMeta"][];
  relations: readonly Views["WorkflowRelation"][];
  stats: Views["WorkflowStats"] | undefined;
  isFlow: boolean;
}) {
  const { metas, relations, stats, isFlow } = props;
  const navigate = useNavigate();
  const shape = JSON.stringify([metas.map(({ meta }) => meta), relations.map(({ from, to }) => [from, to])]);
  const { data: places } = useQuery({
    queryKey: ["layout", shape],
    queryFn: () =>
      placed(
        metas.map(({ meta }) => ({ id: meta, ...BOX_SIZE })),
        relations,
      ),
    refetchInterval: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const boxes = useMemo(() => metas.map((one) => boxOf(one, isFlow ? stats : undefined)), [metas, stats, isFlow]);
  const lines = useMemo(() => relations.map((one) => lineOf(one, isFlow ? stats : undefined)), [relations, stats, isFlow]);
  if (places === undefined) return <Loading what="the layout" />;
  return (
    <>
      <Canvas
        label="Map of metas and relations"
        boxes={boxes}
        lines={lines}
        places={places}
        onBox={(meta) => void navigate({ to: "/workflows", search: { view: "instances", meta } })}
        onLine={(from, to) => void navigate({ to: "/workflows/declare", search: { from, to } })}
      />
      <details>
        <summary>As a list</summary>
        <ul className="stack">
          {relations.map(({ from, to, enabled, problem }) => (
            <li className="row" key={`${from} ${to}`}>
              <Link to="/workflows/declare" search={{ from, to }}>
                {from} → {to}
              </Link>
              <State state={enabled ? "enabled" : "disabled"} />
              <span className="muted">{problem}</span>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

function boxOf({ meta, states, enabled, problem }: Views["WorkflowMeta"], stats: Views["WorkflowStats"] | undefined): DrawnBox {
  const counted = stats?.counts?.find((one) => one.meta === meta);
  const detail = counted === undefined ? (states ?? "") : `${short(counted.instances)} instances`;
  return {
    id: meta,
    title: meta.split("/").at(-1)?.split(":")[0] ?? meta,
    kind: meta,
    lines: detail === "" ? [] : [detail],
    tone: problem !== undefined ? "bad" : enabled ? "good" : "none",
  };
}

function lineOf({ from, to, enabled, problem }: Views["WorkflowRelation"], stats: Views["WorkflowStats"] | undefined): DrawnLine {
  const flow = stats?.flows.find((one) => one.from === from && one.to === to);
  if (flow === undefined) return { from, to, tone: problem !== undefined ? "bad" : enabled ? "good" : "none" };
  return {
    from,
    to,
    label: `${short(flow.converted)}, ${duration(flow.meanMs)}${flow.failed > 0 ? `, ${flow.failed} failed` : ""}`,
    thickness: 1.5 + Math.log10(1 + flow.converted),
    tone: flow.failed > 0 ? "bad" : flow.retried > 0 ? "warn" : "good",
  };
}

interface Domain {
  readonly name: string;
  readonly metas: Views["WorkflowMeta"][];
  readonly domains: Map<string, Domain>;
}

function Domains({ metas }: { metas: readonly Views["WorkflowMeta"][] }) {
  const root: Domain = { name: "", metas: [], domains: new Map() };
  for (const meta of metas) {
    let domain = root;
    for (const name of (meta.meta.split(":")[0] ?? "").split("/").filter(Boolean).slice(0, -1)) {
      const next = domain.domains.get(name) ?? { name, metas: [], domains: new Map() };
      domain.domains.set(name, next);
      domain = next;
    }
    domain.metas.push(meta);
  }
  return (
    <section className="card" aria-label="Domains">
      <ul className="tree">
        <DomainItem domain={root} />
      </ul>
    </section>
  );
}

function DomainItem({ domain: { name, metas, domains } }: { domain: Domain }) {
  const content = (
    <>
      {[...domains.values()].map((one) => (
        <DomainItem key={one.name} domain={one} />
      ))}
      {metas.map(({ meta, states, enabled, problem }) => (
        <li className="row" key={meta}>
          <Link to="/workflows/declare" search={{ meta }}>
            {meta}
          </Link>
          <State state={enabled ? "enabled" : "disabled"} />
          <span className="muted">{states}</span>
          <span className="muted">{problem}</span>
        </li>
      ))}
    </>
  );
  if (name === "") return content;
  return (
    <li>
      <strong>{name}</strong>
      <ul>{content}</ul>
    </li>
  );
}
