import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { api } from "../api.ts";
import { duration, time } from "../format.ts";
import type { Step } from "../journal.ts";
import { Badge } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { Empty } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useTail } from "../parts/stream.ts";
import { type Column, DataTable } from "../parts/table.tsx";

/** Messages that stay on the screen. */
const KEPT = 1_000;

const columns: Column<Step>[] = [
  { id: "at", header: "at", value: ({ sequence }) => sequence, cell: ({ at }) => time(at) },
  { id: "type", header: "type", value: ({ type = "" }) => type },
  { id: "id", header: "message", value: ({ what }) => what },
  { id: "member", header: "answered by", value: ({ member = "" }) => member },
  { id: "ms", header: "took", value: ({ ms = 0 }) => ms, cell: ({ ms }) => duration(ms) },
  {
    id: "code",
    header: "result",
    value: ({ code = "ok" }) => code,
    cell: ({ code }) => <Badge tone={code === undefined ? "good" : "bad"}>{code ?? "ok"}</Badge>,
  },
  {
    id: "trace",
    header: "trace",
    value: ({ traceId = "" }) => traceId,
    cell: ({ traceId }) =>
      traceId === undefined ? null : (
        <Link to="/traces/$id" params={{ id: traceId }}>
          {traceId.slice(0, 8)}…
        </Link>
      ),
  },
];

/** Messages as they are dispatched, the newest first. */
export function Messages() {
  const { type, member, failed } = useSearch({ strict: false }) as { type?: string; member?: string; failed?: string };
  const navigate = useNavigate();
  const [isPaused, setPaused] = useState(false);
  const types = useQuery({ queryKey: ["types"], queryFn: () => answerOf(api.GET("/api/v1/types")) });
  const { items, state, clear } = useTail<Step>("/api/v1/events?kinds=message", readStep, KEPT);
  const [frozen, setFrozen] = useState<readonly Step[]>([]);
  const past = useQuery({
    queryKey: ["messages"],
    queryFn: () => answerOf(api.GET("/api/v1/messages/feed", { params: { query: { limit: 200 } } })),
    refetchInterval: false,
  });
  const rows = useMemo(() => {
    const live = isPaused ? frozen : items;
    const first = live[0]?.sequence ?? Number.POSITIVE_INFINITY;
    const shown: Step[] = [...(past.data?.items ?? []).filter(({ sequence }) => sequence < first).toReversed(), ...live];
    const fits = (step: Step): boolean =>
      (type === undefined || step.type === type) &&
      (member === undefined || (step.member ?? "").includes(member)) &&
      (failed === undefined || step.code !== undefined);
    return shown.filter(fits).toReversed();
  }, [items, past.data, frozen, isPaused, type, member, failed]);
  const set = (next: Record<string, string | undefined>): void =>
    void navigate({ to: "/messages", search: { type, member, failed, ...next } as never, replace: true });
  return (
    <Page
      title="Messages"
      lead={`What the router dispatches, live. The last ${KEPT} are kept here.`}
      cli={["npx metanode messages", "npx metanode events -f --kind message", "npx metanode trace TRACE", "npx metanode types"]}
      actions={
        <Link className="button" data-kind="primary" to="/messages/send" search={type === undefined ? {} : { type }}>
          Send a message
        </Link>
      }
    >
      <div className="filters">
        <SelectField
          label="Type"
          value={type ?? ""}
          options={[["", "all"], ...[...new Set(types.data?.items.map((one) => one.type))].map((one) => [one, one] as const)]}
          onChange={(next) => set({ type: next === "" ? undefined : next })}
        />
        <TextField
          label="Answered by"
          value={member ?? ""}
          onChange={(next) => set({ member: next === "" ? undefined : next })}
        />
        <SelectField
          label="Result"
          value={failed ?? ""}
          options={[
            ["", "all"],
            ["true", "failed only"],
          ]}
          onChange={(next) => set({ failed: next === "" ? undefined : next })}
        />
        <Button
          aria-pressed={isPaused}
          onClick={() => {
            setFrozen(items);
            setPaused(!isPaused);
          }}
        >
          {isPaused ? "Go on" : "Pause"}
        </Button>
        <Button onClick={clear}>Clear</Button>
        <Badge tone={state === "open" ? "good" : state === "broken" ? "bad" : "none"}>{state}</Badge>
      </div>
      {rows.length === 0 ? (
        <Empty title="No message has come by" command={`npx metanode call TYPE '{…}'`}>
          They appear as they are dispatched. <Link to="/messages/send">Send one</Link>.
        </Empty>
      ) : (
        <DataTable label="Messages" rows={rows} columns={columns} keyOf={({ sequence }) => String(sequence)} />
      )}
    </Page>
  );
}

function readStep({ event, data }: { event: string; data: string }): Step | undefined {
  return event === "resync" ? undefined : (JSON.parse(data) as Step);
}
