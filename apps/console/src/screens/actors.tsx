import { answerOf } from "@metanode/client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, type Views } from "../api.ts";
import { duration, short } from "../format.ts";
import { Badge, State } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { TextField } from "../parts/field.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { Tabs } from "../parts/tabs.tsx";

/** Children of one actor that are drawn before somebody asks for more. */
const CHILDREN_SHOWN = 50;
/** Actors that the tree takes in. */
const TREE_LIMIT = 2_000;

/** What lives in the actor kernel: as a tree of supervision, as a list, with meta-processes, events and applications. */
export function Actors() {
  const { view = "tree" } = useSearch({ strict: false }) as { view?: string };
  const { data } = useQuery({ queryKey: ["kernel"], queryFn: () => answerOf(api.GET("/api/v1/actors/kernel")) });
  const tab = (text: string, name: string) => ({ text, to: "/actors", search: { view: name }, isCurrent: view === name });
  return (
    <Page
      title="Actors"
      lead={
        data === undefined ? undefined : (
          <span className="row">
            <State state={data.state} /> {data.node}: {short(data.processes)} actors, {short(data.metas)} meta-processes,{" "}
            {short(data.names)} names, up for {duration(data.uptimeMs)}
          </span>
        )
      }
      cli={[
        "npx metanode actor tree",
        "npx metanode actor ls",
        "npx metanode actor kernel",
        "npx metanode actor call NAME '{…}'",
      ]}
    >
      <Tabs
        label="Views of the actors"
        tabs={[
          tab("Supervision", "tree"),
          tab("List", "list"),
          tab("Meta-processes", "metas"),
          tab("Events", "events"),
          tab("Applications", "applications"),
        ]}
      />
      {view === "list" ? <List /> : null}
      {view === "metas" ? <Metas /> : null}
      {view === "events" ? <Events /> : null}
      {view === "applications" ? <Applications /> : null}
      {view === "tree" ? <Tree roots={data?.roots ?? []} /> : null}
    </Page>
  );
}

function Tree({
  roots,
}: {
  roots: readonly { name: string; id?: number | undefined; restarts: number; lastReason?: string | undefined }[];
}) {
  const { data, error, isPending } = useQuery({
    queryKey: ["actor-tree"],
    queryFn: () => answerOf(api.GET("/api/v1/actors/tree", { params: { query: { limit: TREE_LIMIT } } })),
  });
  const down = roots.filter(({ id }) => id === undefined);
  return (
    <section className="card stack" aria-label="Supervision tree">
      {isPending ? <Loading what="the tree" /> : null}
      {error === null ? null : <Failure error={error} />}
      {down.map(({ name, restarts, lastReason }) => (
        <div className="row" key={name}>
          <State state="down" /> {name}, restarted {restarts} times{lastReason === undefined ? "" : `: ${lastReason}`}
        </div>
      ))}
      {data?.roots.length === 0 ? (
        <Empty title="No actor lives here yet" command={"# metanode.yaml\nactors:\n  - name: counter\n    file: counter.ts"}>
          Actors are configured with the node, or loaded as an application.
        </Empty>
      ) : null}
      <ul className="tree">
        {data?.roots.map((one) => (
          <Branch key={one.id} node={one} depth={0} />
        ))}
      </ul>
      {data?.isCut === true ? <p className="muted">These are the {TREE_LIMIT} oldest; the list has them all.</p> : null}
    </section>
  );
}

function Branch({ node, depth }: { node: Views["ActorNode"]; depth: number }) {
  const [isOpen, setOpen] = useState(depth < 2);
  const [limit, setLimit] = useState(CHILDREN_SHOWN);
  const { id, name, behaviour, state, waiting, metas, children } = node;
  return (
    <li>
      <div className="row">
        {children.length === 0 ? null : (
          <Button kind="plain" aria-expanded={isOpen} aria-label={`Children of ${name ?? id}`} onClick={() => setOpen(!isOpen)}>
            <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span>
          </Button>
        )}
        <Link to="/actors/$id" params={{ id: String(id) }}>
          {name ?? `#${id}`}
        </Link>
        <span className="muted">{behaviour}</span>
        <State state={state} />
        {waiting === 0 ? null : <Badge tone={waiting > 1_000 ? "bad" : "warn"}>{waiting} waiting</Badge>}
        {metas.map(({ id: metaId, behaviour: kind }) => (
          <Link key={metaId} to="/actors/$id" params={{ id: String(metaId) }} search={{ kind: "meta" }}>
            {kind}
          </Link>
        ))}
        {children.length === 0 ? null : <span className="muted small">{children.length} children</span>}
      </div>
      {isOpen && children.length > 0 ? (
        <ul>
          {children.slice(0, limit).map((child) => (
            <Branch key={child.id} node={child} depth={depth + 1} />
          ))}
          {children.length > limit ? (
            <li>
              <Button onClick={() => setLimit(limit * 4)}>{children.length - limit} more</Button>
            </li>
          ) : null}
        </ul>
      ) : null}
    </li>
  );
}

const listColumns: Column<Views["Actor"]>[] = [
  {
    id: "id",
    header: "actor",
    value: ({ name, id }) => name ?? id,
    cell: ({ name, id }) => (
      <Link to="/actors/$id" params={{ id: String(id) }}>
        {name ?? `#${id}`}
      </Link>
    ),
  },
  { id: "behaviour", header: "behaviour", value: ({ behaviour }) => behaviour },
  { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
  { id: "mailbox", header: "waiting", value: ({ mailbox: { urgent, system, main, log } }) => urgent + system + main + log },
  { id: "in", header: "received", value: ({ messagesIn }) => messagesIn },
  { id: "out", header: "sent", value: ({ messagesOut }) => messagesOut },
  { id: "parent", header: "parent", value: ({ parentId }) => parentId },
  { id: "application", header: "application", value: ({ application = "" }) => application },
  { id: "uptime", header: "up for", value: ({ uptimeMs }) => uptimeMs, cell: ({ uptimeMs }) => duration(uptimeMs) },
];

function List() {
  const { find = "" } = useSearch({ strict: false }) as { find?: string };
  const navigate = useNavigate();
  const { data, error, isPending, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ["actors"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor }) =>
      answerOf(api.GET("/api/v1/actors", { params: { query: { limit: 1_000, ...(cursor === undefined ? {} : { cursor }) } } })),
    getNextPageParam: ({ next }) => next,
    refetchInterval: 5_000,
  });
  const all = data?.pages.flatMap(({ items }) => items) ?? [];
  const rows = find === "" ? all : all.filter(({ name = "", behaviour, id }) => `${name} ${behaviour} ${id}`.includes(find));
  return (
    <section className="stack" aria-label="List of actors">
      <div className="filters">
        <TextField
          label="Find"
          value={find}
          hint="In name, behaviour and id of what is loaded"
          onChange={(next) => void navigate({ to: "/actors", search: { view: "list", find: next }, replace: true })}
        />
        {hasNextPage ? (
          <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Load more
          </Button>
        ) : null}
      </div>
      {isPending ? <Loading what="the actors" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data !== undefined && rows.length === 0 ? <Empty title="No actor is like that" command="npx metanode actor ls" /> : null}
      {rows.length > 0 ? (
        <DataTable
          label="Actors"
          rows={rows}
          columns={listColumns}
          keyOf={({ id }) => String(id)}
          onReachEnd={hasNextPage && !isFetchingNextPage ? () => void fetchNextPage() : undefined}
        />
      ) : null}
    </section>
  );
}

function Metas() {
  const { data, error, isPending } = useQuery({
    queryKey: ["actor-metas"],
    queryFn: () => answerOf(api.GET("/api/v1/actors/meta", { params: { query: { limit: 1_000 } } })),
  });
  if (isPending) return <Loading what="the meta-processes" />;
  if (error !== null) return <Failure error={error} />;
  if (data.items.length === 0) {
    return (
      <Empty title="No meta-process runs">
        Meta-processes bring sockets, HTTP, programs and threads to actors; an actor starts them.
      </Empty>
    );
  }
  return (
    <DataTable
      label="Meta-processes"
      rows={data.items}
      keyOf={({ id }) => String(id)}
      columns={[
        {
          id: "alias",
          header: "meta-process",
          value: ({ alias }) => alias,
          cell: ({ id, alias }) => (
            <Link to="/actors/$id" params={{ id: String(id) }} search={{ kind: "meta" }}>
              {alias}
            </Link>
          ),
        },
        { id: "behaviour", header: "behaviour", value: ({ behaviour }) => behaviour },
        { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
        { id: "actor", header: "actor", value: ({ actorId }) => actorId },
        { id: "in", header: "received", value: ({ messagesIn }) => messagesIn },
        { id: "out", header: "sent", value: ({ messagesOut }) => messagesOut },
        { id: "uptime", header: "up for", value: ({ uptimeMs }) => uptimeMs, cell: ({ uptimeMs }) => duration(uptimeMs) },
      ]}
    />
  );
}

function Events() {
  const { data, error, isPending } = useQuery({
    queryKey: ["actor-events"],
    queryFn: () => answerOf(api.GET("/api/v1/actors/events")),
  });
  if (isPending) return <Loading what="the events" />;
  if (error !== null) return <Failure error={error} />;
  if (data.items.length === 0)
    return <Empty title="No event is registered">An actor registers an event, publishes it, and others subscribe.</Empty>;
  return (
    <DataTable
      label="Events"
      rows={data.items}
      keyOf={({ name }) => name}
      columns={[
        { id: "name", header: "event", value: ({ name }) => name },
        { id: "producer", header: "producer", value: ({ producerId }) => producerId },
        { id: "subscribers", header: "subscribers", value: ({ subscribers }) => subscribers },
        { id: "published", header: "published", value: ({ published }) => published },
        { id: "delivered", header: "delivered", value: ({ delivered }) => delivered },
        { id: "buffered", header: "buffered", value: ({ buffered }) => buffered },
      ]}
    />
  );
}

function Applications() {
  const { data, error, isPending } = useQuery({
    queryKey: ["actor-applications"],
    queryFn: () => answerOf(api.GET("/api/v1/actors/applications")),
  });
  if (isPending) return <Loading what="the applications" />;
  if (error !== null) return <Failure error={error} />;
  if (data.items.length === 0)
    return <Empty title="No application is loaded">An application is a group of actors that start, live and end together.</Empty>;
  return (
    <DataTable
      label="Applications"
      rows={data.items}
      keyOf={({ name }) => name}
      columns={[
        { id: "name", header: "application", value: ({ name }) => name },
        { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
        { id: "mode", header: "mode", value: ({ mode }) => mode },
        { id: "processes", header: "actors", value: ({ processes }) => processes },
        { id: "version", header: "version", value: ({ version }) => version },
        { id: "description", header: "what it is", value: ({ description }) => description },
        { id: "uptime", header: "up for", value: ({ uptimeMs }) => uptimeMs, cell: ({ uptimeMs }) => duration(uptimeMs) },
      ]}
    />
  );
}
