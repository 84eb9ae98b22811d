import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, type Views } from "../api.ts";
import { duration, quoted } from "../format.ts";
import { ActButton, DangerButton, useAct } from "../parts/act.tsx";
import { State } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { Value } from "../parts/json.tsx";
import { Failure, Loading } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { ANYTHING, typedJson } from "../parts/typed-json.ts";

/** One actor or meta-process: its state and relations; inspect, send, call, exit. */
export function Actor() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { kind } = useSearch({ strict: false }) as { kind?: string };
  return kind === "meta" ? <OneMeta key={id} id={id} /> : <OneActor key={id} id={id} />;
}

function OneActor({ id }: { id: string }) {
  const navigate = useNavigate();
  const path = { params: { path: { actor: id } } };
  const { data, error, isPending } = useQuery({
    queryKey: ["actor", id],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/actors/{actor}", path)),
    retry: false,
  });
  const name = data?.name ?? `#${id}`;
  return (
    <Page
      title={name}
      lead={data === undefined ? undefined : <Lead state={data.state} behaviour={data.behaviour} uptimeMs={data.uptimeMs} />}
      cli={cliOf(data?.name ?? id)}
      actions={
        data === undefined ? null : (
          <>
            <ActButton
              text="Kill"
              kind="danger"
              done={`${name} was killed`}
              work={() => answerOf(api.POST("/api/v1/actors/{actor}/kill", path))}
            />
            <DangerButton
              text="Exit"
              name={name}
              what="It is asked to end, with the reason shutdown; its supervisor decides what comes then."
              done={`${name} was asked to end`}
              work={(headers) =>
                answerOf(api.POST("/api/v1/actors/{actor}/exit", { ...path, headers, body: { reason: "shutdown" } }))
              }
              after={() => void navigate({ to: "/actors" })}
            />
          </>
        )
      }
    >
      {isPending ? <Loading what="the actor" /> : null}
      {error === null ? null : <Failure error={error} title="This actor does not live (any more)" />}
      {data === undefined ? null : (
        <>
          <div className="grid">
            <Facts actor={data} />
            <Relations actor={data} />
          </div>
          <Inspect path={`/api/v1/actors/${id}/inspect`} />
          <Mail
            send={(message, priority) =>
              answerOf(api.POST("/api/v1/actors/{actor}/send", { ...path, body: { message, priority } }))
            }
            call={async (request, priority) =>
              (await answerOf(api.POST("/api/v1/actors/{actor}/call", { ...path, body: { request, priority } }))).answer
            }
          />
        </>
      )}
    </Page>
  );
}

function OneMeta({ id }: { id: string }) {
  const navigate = useNavigate();
  const path = { params: { path: { actor: id } } };
  const { data, error, isPending } = useQuery({
    queryKey: ["actor-meta", id],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/actors/meta/{actor}", path)),
    retry: false,
  });
  return (
    <Page
      title={data?.alias ?? `#${id}`}
      lead={
        data === undefined ? undefined : (
          <Lead state={data.state} behaviour={`${data.behaviour}, a meta-process`} uptimeMs={data.uptimeMs} />
        )
      }
      cli={cliOf(`meta:${id}`)}
      actions={
        data === undefined ? null : (
          <DangerButton
            text="Exit"
            name={data.behaviour}
            what="It ends, and what it holds (a socket, a program, a thread) with it."
            done="It was asked to end"
            work={(headers) =>
              answerOf(api.POST("/api/v1/actors/meta/{actor}/exit", { ...path, headers, body: { reason: "shutdown" } }))
            }
            after={() => void navigate({ to: "/actors", search: { view: "metas" } })}
          />
        )
      }
    >
      {isPending ? <Loading what="the meta-process" /> : null}
      {error === null ? null : <Failure error={error} title="This meta-process does not live (any more)" />}
      {data === undefined ? null : (
        <>
          <section className="card">
            <dl className="facts">
              <dt>actor</dt>
              <dd>
                <Link to="/actors/$id" params={{ id: String(data.actorId) }}>
                  #{data.actorId}
                </Link>
              </dd>
              <dt>received</dt>
              <dd>{data.messagesIn}</dd>
              <dt>sent</dt>
              <dd>{data.messagesOut}</dd>
              <dt>waiting</dt>
              <dd>
                {data.mailbox.system} system, {data.mailbox.main} main
              </dd>
            </dl>
          </section>
          <Inspect path={`/api/v1/actors/meta/${id}/inspect`} />
          <Mail
            send={(message, priority) =>
              answerOf(api.POST("/api/v1/actors/meta/{actor}/send", { ...path, body: { message, priority } }))
            }
            call={async (request, priority) =>
              (await answerOf(api.POST("/api/v1/actors/meta/{actor}/call", { ...path, body: { request, priority } }))).answer
            }
          />
        </>
      )}
    </Page>
  );
}

function Lead({ state, behaviour, uptimeMs }: { state: string; behaviour: string; uptimeMs: number }) {
  return (
    <span className="row">
      <State state={state} /> {behaviour}, up for {duration(uptimeMs)}
    </span>
  );
}

function cliOf(name: string): string[] {
  const shell = quoted(name);
  return [
    `npx metanode actor get ${shell}`,
    `npx metanode actor inspect ${shell}`,
    `npx metanode actor send ${shell} '{…}'`,
    `npx metanode actor call ${shell} '{…}'`,
  ];
}

function Facts({ actor }: { actor: Views["Actor"] }) {
  const { pid, mailbox, mailboxLimit, messagesIn, messagesOut, trapExit, application, logLevel, parentId } = actor;
  return (
    <section className="card" aria-label="Numbers">
      <dl className="facts">
        <dt>pid</dt>
        <dd className="mono">{pid}</dd>
        <dt>parent</dt>
        <dd>
          {parentId === 1 ? (
            "the kernel"
          ) : (
            <Link to="/actors/$id" params={{ id: String(parentId) }}>
              #{parentId}
            </Link>
          )}
        </dd>
        <dt>received, sent</dt>
        <dd>
          {messagesIn}, {messagesOut}
        </dd>
        <dt>waiting</dt>
        <dd>
          {mailbox.urgent} urgent, {mailbox.system} system, {mailbox.main} main, {mailbox.log} log
          {mailboxLimit < 0 ? "" : `, at most ${mailboxLimit}`}
        </dd>
        <dt>traps exits</dt>
        <dd>{trapExit ? "yes" : "no"}</dd>
        <dt>logs from</dt>
        <dd>{logLevel}</dd>
        <dt>application</dt>
        <dd>{application ?? "none"}</dd>
      </dl>
    </section>
  );
}

function Relations({ actor: { links, monitors, aliases, events, metas } }: { actor: Views["Actor"] }) {
  const lists = { links, monitors, aliases, events, "meta-processes": metas };
  return (
    <section className="card" aria-label="Relations">
      <dl className="facts">
        {Object.entries(lists).map(([name, all]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name}</dt>
            <dd className="wrap">{all.length === 0 ? "none" : all.slice(0, 100).join(", ")}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Inspect({ path }: { path: string }) {
  const { data, error } = useQuery({
    queryKey: ["inspect", path],
    meta: { isAboutOne: true },
    queryFn: async () => (await (await api.raw(path)).json()) as { items: Record<string, string> },
    retry: false,
  });
  const items = Object.entries(data?.items ?? {});
  return (
    <section className="card" aria-labelledby="inside">
      <h2 id="inside">Inside</h2>
      {error === null ? null : <Failure error={error} title="It does not tell" />}
      {data !== undefined && items.length === 0 ? (
        <p className="muted">It tells nothing about itself; implement inspect() in its class.</p>
      ) : null}
      <dl className="facts">
        {items.map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name}</dt>
            <dd className="wrap">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

type Priority = "normal" | "high" | "max";

function Mail(props: {
  send: (message: unknown, priority: Priority) => Promise<unknown>;
  call: (request: unknown, priority: Priority) => Promise<unknown>;
}) {
  const [text, setText] = useState("{}");
  const [priority, setPriority] = useState<Priority>("normal");
  const [answer, setAnswer] = useState<{ value: unknown }>();
  const parsed = typedJson(text, ANYTHING);
  const send = useAct(() => props.send(parsed.value, priority), { done: "It is in the mailbox" });
  const call = useAct(() => props.call(parsed.value, priority), { done: "It answered", after: (value) => setAnswer({ value }) });
  return (
    <section className="card stack" aria-labelledby="mail">
      <h2 id="mail">Send and call</h2>
      <TextField
        label="Message"
        rows={3}
        value={text}
        onChange={setText}
        problem={parsed.problem}
        hint="JSON; a text needs its quotes."
      />
      <SelectField<Priority> label="Priority" value={priority} options={["normal", "high", "max"]} onChange={setPriority} />
      <div className="row">
        <Button busy={send.isPending} disabled={parsed.problem !== undefined} onClick={() => send.mutate()}>
          Send
        </Button>
        <Button kind="primary" busy={call.isPending} disabled={parsed.problem !== undefined} onClick={() => call.mutate()}>
          Call
        </Button>
      </div>
      {call.error === null ? null : <Failure error={call.error} title="No answer" />}
      {answer === undefined ? null : <Value value={answer.value} label="The answer" />}
    </section>
  );
}
