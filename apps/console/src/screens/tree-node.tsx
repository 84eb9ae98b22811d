import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { api, defined } from "../api.ts";
import { time } from "../format.ts";
import { ActButton, DangerButton, useAct } from "../parts/act.tsx";
import { State } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useMay } from "../parts/role.ts";
import { DataTable } from "../parts/table.tsx";
import { labelsOf } from "./tree.tsx";
import { Labels } from "./tree-labels.tsx";
import { Standby } from "./tree-standby.tsx";

/** One node of the tree: what it is, what is below it, and what can be done with it. */
export function TreeNodeScreen() {
  const { path = "" } = useSearch({ strict: false }) as { path?: string };
  const navigate = useNavigate();
  const { data, error, isPending } = useQuery({
    queryKey: ["tree-node", path],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/tree/node", { params: { query: defined({ target: path || undefined }) } })),
  });
  const isManaged = path.split("/").length > 2;
  return (
    <Page
      title={path || "This node"}
      lead={data === undefined ? undefined : `${data.node.state}, epoch ${data.node.epoch}`}
      cli={[`npx metanode tree --under ${path}`, `npx metanode maintain ${path} on`, `npx metanode host facts ${path}`]}
    >
      {isPending ? <Loading what="the node" /> : null}
      {error === null ? null : <Failure error={error} title="The node does not answer" />}
      <div className="row">
        <Maintain path={path} isOn={data?.node.maintenance !== undefined} />
        {data === undefined ? null : <Labels path={path} labels={data.node.labels} />}
        {isManaged ? <Move path={path} /> : null}
        {isManaged ? (
          <DangerButton
            text="Release"
            name={path.slice(path.lastIndexOf("/") + 1)}
            what="It finishes what it has and goes on alone, with all that is below it."
            done={`${path} goes on alone`}
            needs="admin"
            after={() => void navigate({ to: "/tree" })}
            work={(headers) => answerOf(api.POST("/api/v1/tree/release", { body: { node: path }, headers }))}
          />
        ) : null}
      </div>
      {data === undefined ? null : <Facts found={data} />}
      {data === undefined ? null : (
        <Standby path={path} names={data.children.filter(({ state }) => state === "managed").map(({ name }) => name)} />
      )}
      {data !== undefined && data.children.length > 0 ? (
        <DataTable
          label="Nodes below"
          rows={data.children}
          keyOf={({ path: one }) => one}
          columns={[
            {
              id: "name",
              header: "name",
              value: ({ name }) => name,
              cell: ({ name, path: one }) => (
                <Link to="/tree/node" search={{ path: one }}>
                  {name}
                </Link>
              ),
            },
            { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
            { id: "epoch", header: "epoch", value: ({ epoch }) => epoch },
            { id: "labels", header: "labels", value: ({ labels }) => labelsOf(labels) },
            { id: "size", header: "below", value: ({ size }) => size },
          ]}
        />
      ) : null}
    </Page>
  );
}

type Found = NonNullable<Awaited<ReturnType<typeof nodeOf>>>;

function nodeOf() {
  return answerOf(api.GET("/api/v1/tree/node", { params: { query: {} } }));
}

function Facts({ found }: { found: Found }) {
  const { node, owner, address, pid } = found;
  const rows: [string, string][] = [
    ["id", node.id],
    ["managed by", owner?.name ?? "nobody"],
    ["version", node.version],
    ["labels", labelsOf(node.labels) || "none"],
    ["handles", node.types.join(", ") || "no types of its own"],
    ["dialled at", address ?? "nowhere"],
    ["process", String(pid)],
    ...Object.entries(node.facts).map(([name, value]): [string, string] => [name, String(value)]),
  ];
  return (
    <>
      {node.maintenance === undefined ? null : (
        <Notice tone="warn" title={`In maintenance: ${node.maintenance.state}`}>
          {node.maintenance.reason || "No reason was given."} By {node.maintenance.by || "somebody"}, since{" "}
          {time(node.maintenance.since)}.
        </Notice>
      )}
      <dl className="facts">
        {rows.map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
      </dl>
    </>
  );
}

function Maintain({ path, isOn }: { path: string; isOn: boolean }) {
  const may = useMay("operator");
  const [isOpen, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [minutes, setMinutes] = useState("60");
  const act = useAct(
    () =>
      answerOf(
        api.POST("/api/v1/tree/maintenance", {
          body: { node: path, on: true, reason, expiresInMs: Math.max(1, Number(minutes) || 60) * 60_000 },
        }),
      ),
    { done: `${path} is in maintenance`, after: () => setOpen(false) },
  );
  if (isOn) {
    return (
      <ActButton
        text="End maintenance"
        done={`${path} is active again`}
        work={() => answerOf(api.POST("/api/v1/tree/maintenance", { body: { node: path, on: false } }))}
      />
    );
  }
  return (
    <>
      <Button {...may} onClick={() => setOpen(true)}>
        Maintenance …
      </Button>
      <Dialog
        title={`Maintenance of ${path}`}
        open={isOpen}
        onClose={() => setOpen(false)}
        actions={
          <Button kind="primary" busy={act.isPending} onClick={() => act.mutate()}>
            Begin
          </Button>
        }
      >
        <p>It takes nothing new and finishes what it has. It ends when somebody ends it.</p>
        <TextField label="Reason" value={reason} onChange={setReason} />
        <TextField label="Tell somebody after (minutes)" value={minutes} onChange={setMinutes} type="number" />
      </Dialog>
    </>
  );
}

function Move({ path }: { path: string }) {
  const may = useMay("admin");
  const navigate = useNavigate();
  const [isOpen, setOpen] = useState(false);
  const [to, setTo] = useState("");
  const act = useAct(() => answerOf(api.POST("/api/v1/tree/move", { body: { node: path, to } })), {
    done: `${path} lives below ${to} now`,
    after: () => void navigate({ to: "/tree/node", search: { path: `${to}${path.slice(path.lastIndexOf("/"))}` } }),
  });
  return (
    <>
      <Button {...may} onClick={() => setOpen(true)}>
        Move …
      </Button>
      <Dialog
        title={`Move ${path}`}
        open={isOpen}
        onClose={() => setOpen(false)}
        actions={
          <Button kind="primary" busy={act.isPending} disabled={!to.startsWith("/")} onClick={() => act.mutate()}>
            Move
          </Button>
        }
      >
        <TextField label="Path of its new manager" value={to} onChange={setTo} placeholder="/root/eu" />
      </Dialog>
    </>
  );
}
