import { answerOf } from "@metanode/client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, defined, type Views } from "../api.ts";
import { duration, time } from "../format.ts";
import { DangerButton, useAct } from "../parts/act.tsx";
import { Badge } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { DataTable } from "../parts/table.tsx";
import { Tabs } from "../parts/tabs.tsx";

type Role = Views["Token"]["role"];

/** Who may do what, and who has done what. */
export function Access() {
  const { view = "audit" } = useSearch({ strict: false }) as { view?: string };
  const me = useQuery({
    queryKey: ["whoami"],
    queryFn: () => answerOf(api.GET("/api/v1/whoami")),
    refetchInterval: false,
  });
  const tab = (text: string, name: string) => ({ text, to: "/access", search: { view: name }, isCurrent: view === name });
  return (
    <Page
      title="Access"
      lead={me.data === undefined ? undefined : `You are ${me.data.name}, ${me.data.role}.`}
      cli={[
        "npx metanode whoami",
        "npx metanode token ls",
        "npx metanode token create NAME --role operator",
        "npx metanode audit",
      ]}
    >
      <Tabs label="Views of access" tabs={[tab("Audit", "audit"), tab("Tokens", "tokens")]} />
      {view === "tokens" ? <Tokens /> : <Audit />}
    </Page>
  );
}

function Audit() {
  const { name, operation } = useSearch({ strict: false }) as { name?: string; operation?: string };
  const navigate = useNavigate();
  const { data, error, isPending, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ["audit", name, operation],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor }) =>
      answerOf(api.GET("/api/v1/audit", { params: { query: { limit: 200, ...defined({ name, operation, cursor }) } } })),
    getNextPageParam: ({ next }) => next,
    refetchInterval: 5_000,
    retry: false,
  });
  const rows = data?.pages.flatMap(({ items }) => items) ?? [];
  const set = (next: Record<string, string | undefined>): void =>
    void navigate({ to: "/access", search: { view: "audit", name, operation, ...next } as never, replace: true });
  return (
    <section className="stack" aria-label="Audit">
      <div className="filters">
        <TextField label="Who" value={name ?? ""} onChange={(next) => set({ name: next === "" ? undefined : next })} />
        <TextField
          label="What"
          value={operation ?? ""}
          hint="An operation, such as restartProcessor"
          onChange={(next) => set({ operation: next === "" ? undefined : next })}
        />
      </div>
      {isPending ? <Loading what="the audit log" /> : null}
      {error === null ? null : <Failure error={error} title="The audit log is not for everybody" />}
      {data !== undefined && rows.length === 0 ? (
        <Empty title="Nobody has changed anything yet">
          Every change through the API is written down here, also those that were refused.
        </Empty>
      ) : null}
      {rows.length > 0 ? (
        <DataTable
          label="Audit"
          rows={rows}
          keyOf={({ sequence }) => String(sequence)}
          onReachEnd={hasNextPage ? () => void fetchNextPage() : undefined}
          columns={[
            { id: "at", header: "at", value: ({ at }) => at, cell: ({ at }) => time(at) },
            { id: "who", header: "who", value: (one) => `${one.name} (${one.role})` },
            { id: "operation", header: "what", value: (one) => one.operation },
            { id: "path", header: "where", value: ({ path }) => path },
            {
              id: "result",
              header: "result",
              value: ({ status }) => status,
              cell: ({ status, code }) => <Badge tone={status < 400 ? "good" : "bad"}>{code ?? String(status)}</Badge>,
            },
            { id: "reason", header: "reason", value: ({ reason = "" }) => reason },
          ]}
        />
      ) : null}
    </section>
  );
}

function Tokens() {
  const { data, error, isPending } = useQuery({
    queryKey: ["tokens"],
    queryFn: () => answerOf(api.GET("/api/v1/tokens")),
    retry: false,
  });
  if (isPending) return <Loading what="the tokens" />;
  if (error !== null) return <Failure error={error} title="Tokens are for admins" />;
  return (
    <section className="stack" aria-label="Tokens">
      <div className="row">
        <Create />
      </div>
      {data.items.length === 0 ? (
        <Empty title="There is only the owner's token" command="npx metanode token create alice --role operator">
          Give everybody who works with the node a token of their own: then the audit log says who did what, and each can be
          revoked.
        </Empty>
      ) : (
        <DataTable
          label="Tokens"
          rows={data.items}
          keyOf={({ name }) => name}
          columns={[
            { id: "name", header: "name", value: ({ name }) => name },
            { id: "role", header: "role", value: ({ role }) => role },
            { id: "created", header: "created", value: ({ createdAt }) => createdAt, cell: ({ createdAt }) => time(createdAt) },
            {
              id: "expires",
              header: "expires",
              value: ({ expiresAt = "" }) => expiresAt,
              cell: ({ expiresAt }) => (expiresAt === undefined ? "never" : time(expiresAt)),
            },
            {
              id: "used",
              header: "last used",
              value: ({ lastUsedAt = "" }) => lastUsedAt,
              cell: ({ lastUsedAt }) =>
                lastUsedAt === undefined ? "never" : `${duration(Date.now() - Date.parse(lastUsedAt))} ago`,
            },
            {
              id: "revoke",
              header: "",
              value: ({ name }) => name,
              cell: ({ name }) => (
                <DangerButton
                  text="Revoke"
                  name={name}
                  what="Whoever shows it is refused from now on."
                  done={`${name} was revoked`}
                  needs="admin"
                  work={(headers) => answerOf(api.DELETE("/api/v1/tokens/{name}", { params: { path: { name } }, headers }))}
                />
              ),
            },
          ]}
        />
      )}
    </section>
  );
}

function Create() {
  const [isOpen, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [made, setMade] = useState<string>();
  const act = useAct(
    async () => {
      const { token } = await answerOf(api.POST("/api/v1/tokens", { body: { name, role } }));
      return token;
    },
    { done: `The token ${name} was made`, after: setMade },
  );
  const close = (): void => {
    setOpen(false);
    setMade(undefined);
    setName("");
  };
  return (
    <>
      <Button kind="primary" onClick={() => setOpen(true)}>
        Create a token …
      </Button>
      <Dialog
        title="Create a token"
        open={isOpen}
        onClose={close}
        actions={
          made === undefined ? (
            <Button kind="primary" busy={act.isPending} disabled={name === ""} onClick={() => act.mutate()}>
              Create
            </Button>
          ) : null
        }
      >
        {made === undefined ? (
          <>
            <TextField label="Name" value={name} onChange={setName} hint="Whose it is; the audit log shows it." />
            <SelectField<Role>
              label="Role"
              value={role}
              options={[
                ["viewer", "viewer: sees everything"],
                ["operator", "operator: also sends, runs, stops, replays"],
                ["admin", "admin: also changes code, declarations and tokens"],
              ]}
              onChange={setRole}
            />
          </>
        ) : (
          <>
            <p>This is shown once. Keep it where only {name} can read it.</p>
            <pre className="pre">{made}</pre>
          </>
        )}
      </Dialog>
    </>
  );
}
