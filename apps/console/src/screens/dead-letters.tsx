import { answerOf } from "@metanode/client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, type Views } from "../api.ts";
import { pretty, quoted, time } from "../format.ts";
import { ActButton, DangerButton, useAct } from "../parts/act.tsx";
import { Badge } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { TextField } from "../parts/field.tsx";
import { Value } from "../parts/json.tsx";
import { Empty, Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { ANYTHING, typedJson } from "../parts/typed-json.ts";

type Letter = Views["DeadLetter"];

const columns: Column<Letter>[] = [
  {
    id: "id",
    header: "message",
    value: ({ message }) => message.id,
    cell: ({ id, message }) => (
      <Link to="/dead-letters" search={(before) => ({ ...before, id })}>
        {message.id}
      </Link>
    ),
  },
  { id: "type", header: "type", value: ({ message }) => message.type },
  { id: "stream", header: "stream", value: ({ stream }) => stream },
  { id: "code", header: "code", value: ({ error }) => error.code },
  { id: "why", header: "why", value: ({ error }) => error.message },
  { id: "attempts", header: "attempts", value: ({ attempts }) => attempts },
  { id: "at", header: "given up", value: ({ at }) => at, cell: ({ at }) => time(at) },
];

/** Messages that were given up on: why, what they said, and the way back. */
export function DeadLetters() {
  const { stream, id } = useSearch({ strict: false }) as { stream?: string; id?: string };
  const navigate = useNavigate();
  const { data, error, isPending, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ["dead-letters", stream],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor }) =>
      answerOf(
        api.GET("/api/v1/dead-letters", {
          params: {
            query: { limit: 200, ...(stream === undefined ? {} : { stream }), ...(cursor === undefined ? {} : { cursor }) },
          },
        }),
      ),
    getNextPageParam: ({ next }) => next,
  });
  const rows = data?.pages.flatMap(({ items }) => items) ?? [];
  const reasons = Map.groupBy(rows, ({ error: { code } }) => code);
  return (
    <Page
      title="Dead letters"
      lead="Durable messages that were given up on after their retries. Nothing is lost: edit and replay them."
      cli={["npx metanode dead-letter ls", "npx metanode dead-letter replay ID", "npx metanode dead-letter replay --all"]}
      actions={
        rows.length === 0 ? null : (
          <ActButton
            text="Replay all"
            done="All of this page are handled again"
            work={() =>
              answerOf(
                api.POST("/api/v1/dead-letters:replay", {
                  params: { query: { limit: 1_000, ...(stream === undefined ? {} : { stream }) } },
                }),
              )
            }
          />
        )
      }
    >
      {isPending ? <Loading what="the dead letters" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data !== undefined && rows.length === 0 ? (
        <Empty title="There are no dead letters" command="npx metanode send order.price '{}'">
          A durable message comes here when it has failed as often as its retry budget allows. Nothing has.
        </Empty>
      ) : null}
      {rows.length > 0 ? (
        <>
          <div className="row">
            {[...reasons].map(([code, letters]) => (
              <Badge key={code} tone="bad">
                {letters.length} {code}
              </Badge>
            ))}
          </div>
          <DataTable
            label="Dead letters"
            rows={rows}
            columns={columns}
            keyOf={(one) => one.id}
            selected={id}
            onReachEnd={hasNextPage ? () => void fetchNextPage() : undefined}
          />
        </>
      ) : null}
      {id === undefined ? null : <One key={id} id={id} onGone={() => void navigate({ to: "/dead-letters", search: {} })} />}
    </Page>
  );
}

function One({ id, onGone }: { id: string; onGone: () => void }) {
  const path = { params: { path: { id } } };
  const { data, error } = useQuery({
    queryKey: ["dead-letter", id],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/dead-letters/{id}", path)),
    refetchInterval: false,
    retry: false,
  });
  if (error !== null) return <Failure error={error} title="This dead letter is gone" />;
  if (data === undefined) return <Loading what="the dead letter" />;
  const { message, attempts, stream } = data;
  return (
    <section className="card stack" aria-label={`Dead letter ${message.id}`}>
      <header>
        <h2>{message.id}</h2>
        <div className="row">
          <ActButton
            kind="primary"
            text="Replay"
            done="It is handled again"
            work={async () => {
              await answerOf(api.POST("/api/v1/dead-letters/{id}/replay", path));
              onGone();
            }}
          />
          <DangerButton
            text="Drop"
            name={message.type}
            what="It is forgotten for good."
            done="It was dropped"
            work={(headers) => answerOf(api.DELETE("/api/v1/dead-letters/{id}", { ...path, headers }))}
            after={onGone}
          />
        </div>
      </header>
      <dl className="facts">
        <dt>type</dt>
        <dd>{message.type}</dd>
        <dt>stream</dt>
        <dd>{stream}</dd>
        <dt>attempts</dt>
        <dd>{attempts}</dd>
        <dt>error</dt>
        <dd>
          <code>{data.error.code}</code> {data.error.message}
        </dd>
        <dt>command</dt>
        <dd>
          <code>npx metanode dead-letter replay {quoted(id)}</code>
        </dd>
      </dl>
      <Edit id={id} message={message} />
    </section>
  );
}

function Edit({ id, message }: { id: string; message: Letter["message"] & { data?: unknown } }) {
  const [text, setText] = useState(() => pretty(message.data));
  const parsed = typedJson(text, ANYTHING);
  const act = useAct(
    () => answerOf(api.PATCH("/api/v1/dead-letters/{id}", { params: { path: { id } }, body: { data: parsed.value } })),
    { done: "The payload was changed; replay it now" },
  );
  if (message.data === undefined) return <Value value={message} label="The message" />;
  return (
    <div className="stack">
      <TextField
        label="Payload"
        rows={8}
        value={text}
        onChange={setText}
        problem={parsed.problem}
        hint="Change what was wrong, save, then replay."
      />
      <div className="row">
        <Button
          busy={act.isPending}
          disabled={parsed.problem !== undefined || text === pretty(message.data)}
          onClick={() => act.mutate()}
        >
          Save the payload
        </Button>
      </div>
    </div>
  );
}
