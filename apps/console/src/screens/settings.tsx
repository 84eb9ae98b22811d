import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api.ts";
import { time } from "../format.ts";
import { SelectField } from "../parts/field.tsx";
import { Failure } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { DataTable } from "../parts/table.tsx";
import { setTheme, type Theme, themeOf } from "../theme.ts";

/** How this browser shows the node, and what the node is. */
export function Settings() {
  const [theme, choose] = useState(themeOf);
  const { data, error } = useQuery({ queryKey: ["node"], queryFn: () => answerOf(api.GET("/api/v1/node")) });
  const codes = useQuery({ queryKey: ["errors"], queryFn: () => answerOf(api.GET("/api/v1/errors")), refetchInterval: false });
  return (
    <Page title="Settings and about" cli={["npx metanode up --print-config", "npx metanode doctor", "npx metanode context ls"]}>
      <section className="card stack" aria-labelledby="look">
        <h2 id="look">This browser</h2>
        <SelectField<Theme>
          label="Theme"
          value={theme}
          options={[
            ["system", "as the system"],
            ["light", "light"],
            ["dark", "dark"],
          ]}
          onChange={(next) => {
            choose(next);
            setTheme(next);
          }}
        />
      </section>
      <section className="card" aria-labelledby="about">
        <h2 id="about">About this node</h2>
        {error === null ? null : <Failure error={error} />}
        <dl className="facts">
          <dt>name</dt>
          <dd>{data?.name}</dd>
          <dt>id</dt>
          <dd className="mono">{data?.nodeId}</dd>
          <dt>version</dt>
          <dd>{data?.version}</dd>
          <dt>address</dt>
          <dd>{data?.url}</dd>
          <dt>started</dt>
          <dd>{time(data?.startedAt)}</dd>
          <dt>licence</dt>
          <dd>Apache-2.0</dd>
          <dt>API</dt>
          <dd>
            <code>GET /api/v1/openapi.json</code>, with your token
          </dd>
        </dl>
      </section>
      <section className="stack" aria-labelledby="codes">
        <h2 id="codes">What error codes mean</h2>
        <DataTable
          label="Error codes"
          rows={codes.data?.items ?? []}
          keyOf={({ code }) => code}
          columns={[
            { id: "code", header: "code", value: ({ code }) => code },
            { id: "meaning", header: "meaning", value: ({ meaning }) => meaning },
            { id: "http", header: "HTTP", value: ({ http }) => http },
            { id: "exit", header: "exit", value: ({ exit }) => exit },
            { id: "retry", header: "a retry can help", value: ({ retryable }) => (retryable ? "yes" : "no") },
          ]}
        />
      </section>
    </Page>
  );
}
