import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, type Views } from "../api.ts";
import { useAct } from "../parts/act.tsx";
import { Badge } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import type { Mark } from "../parts/code-editor.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Editor } from "../parts/editor.tsx";
import { Failure, Loading, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useRested } from "../parts/rested.ts";
import { AN_OBJECT, typedJson } from "../parts/typed-json.ts";

/** How long the typing must rest before the node is asked, in milliseconds. */
const REST_MS = 250;

interface Declarations {
  readonly metas?: unknown[];
  readonly relations?: unknown[];
}

const TEMPLATE: Declarations = {
  metas: [{ meta: "/B/shop/order:1", states: "new|paid", enabled: true }],
  relations: [],
};

/** Metas and relations as JSON: checked by the node while they are typed, and shown as a difference before they are saved. */
export function Declare() {
  const { meta, from, to } = useSearch({ strict: false }) as { meta?: string; from?: string; to?: string };
  const start = useStart(meta, from, to);
  const title = meta ?? (from !== undefined && to !== undefined ? `${from} → ${to}` : "Declare metas and relations");
  return (
    <Page
      title={title}
      lead="What is not named here stays as it is."
      cli={[
        "npx metanode meta plan flows.ts",
        "npx metanode meta apply flows.ts",
        "npx metanode meta ls",
        "npx metanode relation ls",
      ]}
    >
      {start.error === null ? null : <Failure error={start.error} />}
      {start.data === undefined ? <Loading what="what is declared" /> : <Edit key={title} start={start.data} />}
    </Page>
  );
}

/** What the editor begins with: the named declaration as it is, or a template. */
function useStart(meta: string | undefined, from: string | undefined, to: string | undefined) {
  return useQuery({
    queryKey: ["declared", meta, from, to],
    refetchInterval: false,
    queryFn: async (): Promise<Declarations> => {
      if (meta !== undefined) {
        const {
          usedBy: _usedBy,
          problem: _problem,
          ...found
        } = await answerOf(api.GET("/api/v1/metas/{meta}", { params: { path: { meta } } }));
        return { metas: [found] };
      }
      if (from !== undefined && to !== undefined) {
        const { problem: _problem, ...found } = await answerOf(
          api.GET("/api/v1/relations/{from}/{to}", { params: { path: { from, to } } }),
        );
        return { relations: [found] };
      }
      return TEMPLATE;
    },
  });
}

function Edit({ start }: { start: Declarations }) {
  const [text, setText] = useState(() => JSON.stringify(start, null, 2));
  const [isAsking, setAsking] = useState(false);
  const navigate = useNavigate();
  const rested = useRested(text, REST_MS);
  const parsed = typedJson(rested, AN_OBJECT);
  const check = useQuery({
    queryKey: ["plan", rested],
    queryFn: () => answerOf(api.POST("/api/v1/workflows/check", { body: parsed.value as never })),
    enabled: parsed.value !== undefined,
    refetchInterval: false,
    retry: false,
  });
  const { plan, problem } = check.data ?? {};
  const apply = useAct(
    () =>
      answerOf(api.POST("/api/v1/workflows/apply", { body: { ...(parsed.value as object), ifVersion: plan?.version } as never })),
    {
      done: "It is declared",
      after: () => {
        setAsking(false);
        void navigate({ to: "/workflows" });
      },
    },
  );
  const changes = plan?.changes ?? [];
  const marks: Mark[] =
    parsed.problem !== undefined ? [wholeMark(parsed.problem, text)] : problem === undefined ? [] : [markOf(problem, text)];
  return (
    <>
      <Editor label="Declarations" language="json" value={text} onChange={setText} marks={marks} minHeight={260} />
      {parsed.problem === undefined ? null : (
        <Notice tone="bad" title="This is no JSON">
          <span className="wrap">{parsed.problem}</span>
        </Notice>
      )}
      {check.error === null ? null : <Failure error={check.error} />}
      {problem === undefined ? null : (
        <Notice tone="bad" title="This cannot be declared">
          <span className="wrap">{problem.detail}</span>
          <code className="small">{problem.code}</code>
        </Notice>
      )}
      {plan === undefined ? null : <Changes plan={plan} />}
      <div className="row">
        <Button
          kind="primary"
          disabled={changes.length === 0 || check.isFetching || rested !== text}
          onClick={() => setAsking(true)}
        >
          Review and save
        </Button>
      </div>
      <Dialog
        wide
        title="Save these changes?"
        open={isAsking}
        onClose={() => setAsking(false)}
        actions={
          <Button kind="primary" busy={apply.isPending} onClick={() => apply.mutate()}>
            Save
          </Button>
        }
      >
        {plan === undefined ? null : <Changes plan={plan} />}
        {apply.error === null ? null : <Failure error={apply.error} title="It was refused" />}
      </Dialog>
    </>
  );
}

const TONES = { add: "good", change: "warn", remove: "bad" } as const;

function Changes({ plan: { changes, unchanged } }: { plan: Views["WorkflowPlan"] }) {
  return (
    <section className="card stack" aria-label="Changes">
      <h2>{changes.length === 0 ? "Nothing changes" : `${changes.length} changes, ${unchanged} stay`}</h2>
      <ul className="stack">
        {changes.map(({ action, kind, name, fields }) => (
          <li key={`${kind} ${name}`} className="stack">
            <div className="row">
              <Badge tone={TONES[action]}>{action}</Badge>
              <span>{kind}</span>
              <strong className="wrap">{name}</strong>
            </div>
            {fields.length === 0 ? null : (
              <pre className="pre">
                {fields
                  .map(
                    ({ path, before, after }) =>
                      `${path}\n  - ${JSON.stringify(before) ?? "(absent)"}\n  + ${JSON.stringify(after) ?? "(absent)"}`,
                  )
                  .join("\n")}
              </pre>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Marks the value that the node's error points at, found by the last word of its path; else the first line. */
function markOf({ detail, details }: Views["Problem"], text: string): Mark {
  const path = String(details?.path ?? "");
  const word = path.split(/[/.]/).findLast((part) => part !== "" && !/^\d+$/.test(part));
  const at = word === undefined ? -1 : text.indexOf(`"${word}"`);
  return at < 0 ? wholeMark(detail, text) : { from: at, to: at + (word?.length ?? 0) + 2, message: detail, severity: "error" };
}

function wholeMark(message: string, text: string): Mark {
  return { from: 0, to: Math.max(1, text.indexOf("\n")), message, severity: "error" };
}
