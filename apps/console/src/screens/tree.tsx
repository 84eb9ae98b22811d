import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, defined, type Views } from "../api.ts";
import { duration, time } from "../format.ts";
import { ActButton, useAct } from "../parts/act.tsx";
import { State } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { Empty, Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useRested } from "../parts/rested.ts";
import { useMay } from "../parts/role.ts";
import { type Column, DataTable } from "../parts/table.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { ForAll } from "./tree-all.tsx";
import { Maintenance } from "./tree-maintenance.tsx";

export type TreeNode = Views["TreeNode"];

/** How long a selector is left alone before it is asked about, in milliseconds. */
const REST_MS = 300;

/** The nodes below this one: what there is, messages for all of them, maintenance. */
export function Tree() {
  const { view = "nodes" } = useSearch({ strict: false }) as { view?: string };
  const tab = (text: string, name: string) => ({ text, to: "/tree", search: { view: name }, isCurrent: view === name });
  return (
    <Page
      title="Tree"
      lead="Nodes that this one manages, to any depth."
      cli={[
        "npx metanode tree",
        "npx metanode join token",
        "npx metanode all TYPE --where 'region=eu'",
        "npx metanode join audit",
      ]}
    >
      <Tabs label="Views of the tree" tabs={[tab("Nodes", "nodes"), tab("For all", "all"), tab("Maintenance", "maintenance")]} />
      {view === "all" ? <ForAll /> : view === "maintenance" ? <Maintenance /> : <Nodes />}
    </Page>
  );
}

const columns: Column<TreeNode>[] = [
  {
    id: "path",
    header: "node",
    value: ({ path }) => path,
    cell: ({ path, name }) => (
      <Link to="/tree/node" search={{ path }} style={{ paddingInlineStart: `${(path.split("/").length - 2) * 1.25}rem` }}>
        {path.split("/").length === 2 ? path : name}
      </Link>
    ),
  },
  { id: "state", header: "state", value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
  { id: "labels", header: "labels", value: ({ labels }) => labelsOf(labels) },
  { id: "types", header: "types", value: ({ types }) => types.join(", ") },
  { id: "version", header: "version", value: ({ version }) => version },
  { id: "size", header: "below", value: ({ size }) => size },
  {
    id: "seen",
    header: "last seen",
    value: ({ lastSeenAt = "" }) => lastSeenAt,
    cell: ({ lastSeenAt }) => (lastSeenAt === undefined ? "" : `${duration(Date.now() - Date.parse(lastSeenAt))} ago`),
  },
];

export function labelsOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

function Nodes() {
  const { where } = useSearch({ strict: false }) as { where?: string };
  const navigate = useNavigate();
  const asked = useRested(where ?? "", REST_MS);
  const { data, error, isPending } = useQuery({
    queryKey: ["tree", asked],
    queryFn: () => answerOf(api.GET("/api/v1/tree", { params: { query: defined({ where: asked === "" ? undefined : asked }) } })),
    placeholderData: (before) => before,
  });
  const waiting = data?.nodes.filter(({ state }) => state === "pending") ?? [];
  const flapping = data?.nodes.filter(({ state }) => state === "quarantined") ?? [];
  const isAlone = data !== undefined && asked === "" && data.nodes.length === 1;
  return (
    <section className="stack" aria-label="Nodes">
      <div className="filters">
        <TextField
          label="Which nodes"
          value={where ?? ""}
          placeholder="region=eu & type=order.price"
          hint="Labels, type, version, path, state, fact.cpus; & | ! and parentheses"
          onChange={(next) =>
            void navigate({ to: "/tree", search: { view: "nodes", where: next || undefined } as never, replace: true })
          }
        />
        <div className="row">
          <Adopt />
          <MakeToken />
        </div>
      </div>
      {waiting.map((node) => (
        <Waiting key={node.path} node={node} />
      ))}
      {flapping.map((node) => (
        <Quarantined key={node.path} node={node} />
      ))}
      {isPending ? <Loading what="the tree" /> : null}
      {error === null ? null : <Failure error={error} />}
      {isAlone ? (
        <Empty
          title="This node manages no other yet"
          command={"npx metanode join token\nnpx metanode agent --token TOKEN --label region=eu"}
        >
          Make a token here, and start an agent with it on another machine, or on this one:
        </Empty>
      ) : null}
      {data !== undefined && data.nodes.length === 0 ? <Empty title="No node fits" /> : null}
      {data !== undefined && data.nodes.length > 0 ? (
        <DataTable label="Nodes of the tree" rows={data.nodes} columns={columns} keyOf={({ path }) => path} />
      ) : null}
      {data?.truncated ? <Notice title={`The first ${data.nodes.length} of ${data.total} nodes; a selector shows less`} /> : null}
    </section>
  );
}

/** A node whose links broke one after the other, so that nothing is handed to it by type. */
function Quarantined({ node }: { node: TreeNode }) {
  return (
    <Notice tone="warn" title={`${node.name} comes and goes: it gets no messages by type for a while`}>
      <span className="row">
        <code>{node.path}</code>
        <ActButton
          text="End the quarantine"
          done={`${node.name} gets messages again`}
          needs="admin"
          work={() => answerOf(api.POST("/api/v1/tree/approve", { body: { node: node.path } }))}
        />
      </span>
    </Notice>
  );
}

/** A node that asks to be adopted, and came without a token. */
function Waiting({ node }: { node: TreeNode }) {
  return (
    <Notice tone="warn" title={`${node.name} asks to be managed by this node`}>
      <span className="row">
        <code>{node.id}</code>
        <ActButton
          text="Approve"
          done={`${node.name} is managed`}
          needs="admin"
          work={() => answerOf(api.POST("/api/v1/tree/approve", { body: { node: node.path } }))}
        />
        <ActButton
          text="Refuse"
          done={`${node.name} was sent away`}
          needs="admin"
          work={() => answerOf(api.POST("/api/v1/tree/release", { body: { node: node.path, force: true } }))}
        />
      </span>
    </Notice>
  );
}

function Adopt() {
  const may = useMay("admin");
  const [isOpen, setOpen] = useState(false);
  const [token, setToken] = useState("");
  const [as, setAs] = useState("");
  const close = (): void => {
    setOpen(false);
    setToken("");
    setAs("");
  };
  const act = useAct(
    () =>
      answerOf(api.POST("/api/v1/tree/adopt", { body: { token: token.trim(), ...defined({ as: as === "" ? undefined : as }) } })),
    { done: "The node is managed", after: close },
  );
  return (
    <>
      <Button {...may} onClick={() => setOpen(true)}>
        Adopt a node …
      </Button>
      <Dialog
        title="Adopt a node"
        open={isOpen}
        onClose={close}
        actions={
          <Button kind="primary" busy={act.isPending} disabled={token.trim() === ""} onClick={() => act.mutate()}>
            Adopt
          </Button>
        }
      >
        <p>
          On the other node, <code>npx metanode join token --purpose adopt</code> prints its token.
        </p>
        <TextField label="Token" value={token} onChange={setToken} rows={4} placeholder="mnt1.…" />
        <TextField label="Name here (optional)" value={as} onChange={setAs} hint="Its own name without it." />
      </Dialog>
    </>
  );
}

function MakeToken() {
  const may = useMay("admin");
  const [isOpen, setOpen] = useState(false);
  const [uses, setUses] = useState("1");
  const [purpose, setPurpose] = useState<"join" | "adopt">("join");
  const [made, setMade] = useState<{ text: string; expiresAt: string }>();
  const close = (): void => {
    setOpen(false);
    setMade(undefined);
  };
  const act = useAct(
    () => answerOf(api.POST("/api/v1/tree/tokens", { body: { purpose, uses: Math.max(1, Number(uses) || 1) } })),
    {
      done: "The token was made",
      after: setMade,
    },
  );
  return (
    <>
      <Button kind="primary" {...may} onClick={() => setOpen(true)}>
        Make a token …
      </Button>
      <Dialog
        title="Make a token"
        open={isOpen}
        onClose={close}
        actions={
          made === undefined ? (
            <Button kind="primary" busy={act.isPending} onClick={() => act.mutate()}>
              Make
            </Button>
          ) : null
        }
      >
        {made === undefined ? (
          <>
            <SelectField
              label="What for"
              value={purpose}
              options={[
                ["join", "join: who comes with it is managed by this node"],
                ["adopt", "adopt: who comes with it manages this node"],
              ]}
              onChange={setPurpose}
            />
            <TextField label="Nodes that may use it" value={uses} onChange={setUses} type="number" />
          </>
        ) : (
          <>
            <p>This is shown once; it can be used until {time(made.expiresAt)}. On the other machine:</p>
            <pre className="pre">
              {purpose === "join" ? `npx metanode agent --token ${made.text}` : `npx metanode adopt ${made.text}`}
            </pre>
          </>
        )}
      </Dialog>
    </>
  );
}
