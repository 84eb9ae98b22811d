import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { api, type Views } from "../api.ts";
import { quoted } from "../format.ts";
import { Canvas } from "../graph/lazy.tsx";
import { placesOf, planOf } from "../graph/plan.ts";
import { useAct } from "../parts/act.tsx";
import { Button } from "../parts/button.tsx";
import type { Mark } from "../parts/code-editor.tsx";
import { Editor } from "../parts/editor.tsx";
import { TextField } from "../parts/field.tsx";
import { Empty, Failure, Notice } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useRested } from "../parts/rested.ts";
import { useMay } from "../parts/role.ts";
import { A_LIST, typedJson } from "../parts/typed-json.ts";

/** How long the typing must rest before the node is asked, in milliseconds. */
const REST_MS = 150;

interface Stage {
  readonly name: string;
  readonly command?: string;
}

/** An expression becomes a drawing while it is typed; what is wrong is marked where it is. */
export function Draw() {
  const { name: editing } = useSearch({ strict: false }) as { name?: string };
  const navigate = useNavigate();
  const before = useQuery({
    queryKey: ["graph", editing],
    queryFn: () => answerOf(api.GET("/api/v1/graphs/{name}", { params: { path: { name: editing ?? "" } } })),
    enabled: editing !== undefined,
    refetchInterval: false,
  });
  const [name, setName] = useState(editing ?? "");
  const [expression, setExpression] = useState("");
  const [nodes, setNodes] = useState<string>("[]");
  useEffect(() => {
    if (before.data === undefined) return;
    setExpression(before.data.document.expression ?? "");
    setNodes(JSON.stringify(before.data.document.nodes ?? [], null, 2));
  }, [before.data]);
  const parsed = typedJson(nodes, A_LIST);
  const document = useMemo(
    () =>
      ({ name: name === "" ? "draft" : name, expression, nodes: parsed.value ?? [] }) as unknown as Views["GraphDocumentInput"],
    [name, expression, parsed.value],
  );
  const asked = useRested(document, REST_MS);
  const check = useQuery({
    queryKey: ["check", asked],
    queryFn: () => answerOf(api.POST("/api/v1/graphs/check", { body: asked })),
    enabled: expression.trim() !== "",
    refetchInterval: false,
    placeholderData: (last) => last,
    retry: false,
  });
  const issues = expression.trim() === "" ? [] : (check.data?.issues ?? []);
  const apply = useAct(
    async (isRun: boolean) => {
      await answerOf(api.PUT("/api/v1/graphs/{name}", { params: { path: { name } }, body: document }));
      if (isRun) await answerOf(api.POST("/api/v1/graphs/{name}/run", { params: { path: { name } } }));
    },
    { done: `Graph ${name} was applied`, after: () => void navigate({ to: "/streams/$name", params: { name } }) },
  );
  const may = useMay("admin");
  const isReady =
    name !== "" && expression.trim() !== "" && issues.length === 0 && check.isSuccess && parsed.problem === undefined;
  return (
    <Page
      title={editing === undefined ? "Draw a graph" : `Edit ${editing}`}
      lead="a; b puts b behind a. a || b puts them side by side. Parentheses group."
      cli={[
        `npx metanode stream plan ${quoted(expression === "" ? "a; (b || c); d" : expression)}`,
        "npx metanode stream apply FILE --run",
      ]}
      actions={
        <>
          <Button
            busy={apply.isPending}
            {...may}
            disabled={!isReady || may.disabled === true}
            onClick={() => apply.mutate(false)}
          >
            Apply
          </Button>
          <Button
            kind="primary"
            busy={apply.isPending}
            {...may}
            disabled={!isReady || may.disabled === true}
            onClick={() => apply.mutate(true)}
          >
            Apply and run
          </Button>
        </>
      }
    >
      <TextField
        label="Name"
        value={name}
        onChange={setName}
        problem={name === "" || /^[a-z0-9]+$/i.test(name) ? undefined : "Letters and digits only."}
        hint="What the graph is called on the node."
      />
      <div className="field">
        <span>Expression</span>
        <Editor
          label="Expression"
          language="expression"
          value={expression}
          onChange={setExpression}
          marks={issues.map((issue) => markOf(issue, expression))}
          placeholder="numbers; (odd || even); print"
        />
      </div>
      {issues.map(({ kind, message, line, column }) => (
        <Notice
          key={`${line}:${column} ${message}`}
          tone="bad"
          title={column === undefined ? kind : `${kind} at ${line}:${column}`}
        >
          <span className="wrap">{message}</span>
        </Notice>
      ))}
      {check.data?.warnings.map((text) => (
        <Notice key={text} tone="warn" title="Warning">
          <span className="wrap">{text}</span>
        </Notice>
      ))}
      {check.error === null ? null : <Failure error={check.error} title="The graph cannot be checked" />}
      {apply.error === null ? null : <Failure error={apply.error} title="It was refused" />}
      <Drawing graph={check.data?.graph} />
      <div className="field">
        <span>Stages</span>
        <Editor label="Stages" language="json" value={nodes} onChange={setNodes} minHeight={140} />
        <small>
          {parsed.problem === undefined ? (
            <>
              What the names run: <code>{'[{ "name": "odd", "command": "grep --line-buffered [13579]$" }]'}</code>. A name that is
              a built-in action or an uploaded one needs no entry.
            </>
          ) : (
            <span role="alert">{parsed.problem}</span>
          )}
        </small>
      </div>
    </Page>
  );
}

function Drawing({ graph }: { graph: Readonly<Record<string, unknown>> | undefined }) {
  const plan = useMemo(() => (graph === undefined ? undefined : planOf(graph)), [graph]);
  const places = useMemo(() => (plan === undefined ? new Map() : placesOf(plan)), [plan]);
  if (plan === undefined || plan.nodes.length === 0) {
    return <Empty title="The drawing appears here">Type an expression, such as numbers; (odd || even); print.</Empty>;
  }
  const commands = new Map(((graph?.nodes as Stage[] | undefined) ?? []).map(({ name, command }) => [name, command]));
  return (
    <Canvas
      label="The graph"
      boxes={plan.nodes.map((id) => ({
        id,
        title: id,
        ...(commands.get(id) === undefined ? {} : { kind: String(commands.get(id)) }),
      }))}
      lines={plan.edges}
      places={places}
    />
  );
}

/** Where an issue is; without a place of its own, the whole expression. */
function markOf(
  { message, line = 1, column }: { message: string; line?: number | undefined; column?: number | undefined },
  text: string,
): Mark {
  const before = text
    .split("\n")
    .slice(0, line - 1)
    .join("\n");
  const start = before.length + (line > 1 ? 1 : 0) + (column ?? 1) - 1;
  const word = /^[^\s;|()+]+/.exec(text.slice(start))?.[0].length ?? 1;
  return { from: start, to: column === undefined ? text.length : start + word, message, severity: "error" };
}
