import { answerOf } from "@metanode/client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "../api.ts";
import { quoted } from "../format.ts";
import { Button } from "../parts/button.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { Value } from "../parts/json.tsx";
import { Empty, Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { exampleOf, type Schema, SchemaForm } from "../parts/schema-form.tsx";

type Mode = "call" | "send" | "cast";
const MODES = [
  ["call", "call: wait for the answer"],
  ["send", "send: durable, at least once"],
  ["cast", "cast: at most once"],
] as const;

/** What came back, with the trace that the message began. */
interface Reply {
  readonly mode: Mode;
  readonly value: unknown;
  readonly traceId: string;
  readonly ms: number;
}

/** Sends a message by a form that its type's schema makes, and shows the reply. */
export function Send() {
  const { type } = useSearch({ strict: false }) as { type?: string };
  const navigate = useNavigate();
  const { data, error, isPending } = useQuery({ queryKey: ["types"], queryFn: () => answerOf(api.GET("/api/v1/types")) });
  const types = data?.items ?? [];
  // The form follows the choice at once, the address when the router has got to it.
  const [picked, pick] = useState(type);
  useEffect(() => pick(type), [type]);
  const chosen = types.find((one) => one.type === picked) ?? types[0];
  return (
    <Page
      title="Send a message"
      lead="The router takes it to whoever handles its type."
      cli={[
        `npx metanode types`,
        `npx metanode call ${quoted(chosen?.type ?? "TYPE")} '{…}'`,
        `npx metanode send ${quoted(chosen?.type ?? "TYPE")} '{…}'`,
      ]}
    >
      {isPending ? <Loading what="the types" /> : null}
      {error === null ? null : <Failure error={error} />}
      {data !== undefined && chosen === undefined ? (
        <Empty title="Nobody on this node handles messages yet" command="npx metanode processor add NAME --file FILE">
          Add a processor; its types appear here.
        </Empty>
      ) : null}
      {chosen === undefined ? null : (
        <>
          <SelectField
            label="Type"
            value={chosen.type}
            options={[...new Set(types.map((one) => one.type))]}
            hint={`${chosen.description} Answered by ${chosen.member}.`}
            onChange={(next) => {
              pick(next);
              void navigate({ to: "/messages/send", search: { type: next }, replace: true });
            }}
          />
          <Form key={chosen.type} type={chosen.type} schema={chosen.inputSchema as Schema | undefined} />
        </>
      )}
    </Page>
  );
}

function Form({ type, schema }: { type: string; schema: Schema | undefined }) {
  const [value, setValue] = useState<unknown>(() => exampleOf(schema));
  const [mode, setMode] = useState<Mode>("call");
  const [subject, setSubject] = useState("");
  const [concreteType, setConcreteType] = useState(type);
  const post = useMutation({ mutationFn: () => sendMessage({ type: concreteType, data: value, subject, mode }) });
  const { reset } = post;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another payload has no reply yet
  useEffect(() => reset(), [value, mode, reset]);
  return (
    <form
      className="card stack"
      onSubmit={(event) => {
        event.preventDefault();
        post.mutate();
      }}
    >
      {/[*>]/.test(type) ? (
        <TextField
          label="Exact type"
          value={concreteType}
          onChange={setConcreteType}
          hint={`${type} is a pattern: say which type you mean.`}
        />
      ) : null}
      <SchemaForm schema={schema ?? {}} value={value} onChange={setValue} />
      <SelectField label="How" value={mode} options={MODES} onChange={setMode} />
      <TextField label="Subject (optional)" value={subject} onChange={setSubject} hint="The key of ordering and sharding." />
      <div className="row">
        <Button kind="primary" type="submit" busy={post.isPending}>
          Send
        </Button>
      </div>
      {post.error === null ? null : <Failure error={post.error} title="It was refused" />}
      {post.data === undefined ? null : <Answer reply={post.data} />}
    </form>
  );
}

function Answer({ reply: { mode, value, traceId, ms } }: { reply: Reply }) {
  return (
    <section className="stack" aria-label="Reply">
      <Notice
        tone="good"
        title={
          mode === "call" ? `Answered in ${Math.round(ms)} ms` : mode === "send" ? "Stored; it will be handled" : "Handed over"
        }
      >
        <Link to="/traces/$id" params={{ id: traceId }}>
          Follow it through the node
        </Link>
      </Notice>
      <Value value={value} label="The reply" />
    </section>
  );
}

async function sendMessage(given: { type: string; data: unknown; subject: string; mode: Mode }): Promise<Reply> {
  const { type, data, subject, mode } = given;
  const traceId = hexOf(16);
  const event = {
    specversion: "1.0",
    id: crypto.randomUUID(),
    source: "/console",
    type,
    data,
    traceparent: `00-${traceId}-${hexOf(8)}-01`,
    ...(subject === "" ? {} : { subject }),
  };
  const beganMs = performance.now();
  const response = await api.raw(`/api/v1/messages?mode=${mode}`, {
    method: "POST",
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify(event),
  });
  const text = await response.text();
  return { mode, value: text === "" ? "(no value)" : text, traceId, ms: performance.now() - beganMs };
}

function hexOf(octets: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(octets)), (octet) => octet.toString(16).padStart(2, "0")).join("");
}
