import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api.ts";
import { ActButton, DangerButton, useAct } from "../parts/act.tsx";
import { Button } from "../parts/button.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { SelectField } from "../parts/field.tsx";
import { Notice } from "../parts/notice.tsx";
import { useMay } from "../parts/role.ts";

/** Who takes the place of a node when it is lost; and now, if it is a root. */
export function Standby({ path, names }: { path: string; names: readonly string[] }) {
  const { data } = useQuery({
    queryKey: ["tree-standby", path],
    meta: { isAboutOne: true },
    queryFn: () => answerOf(api.GET("/api/v1/tree/standby", { params: { query: { under: path } } })),
  });
  if (data === undefined || (names.length === 0 && data.name === undefined && data.manager === undefined)) return null;
  const { name, isReady, isFenced, manager } = data;
  const isRoot = path.split("/").length === 2;
  return (
    <Notice title={titleOf(data)} tone={name !== undefined && (isFenced || !isReady) ? "warn" : "none"}>
      {manager === undefined ? null : (
        <p>
          It {manager.isTaken ? "has taken the place of" : "stands by for"} {manager.name}.
        </p>
      )}
      <span className="row">
        {names.length > 0 && !isFenced ? <Name path={path} names={names} /> : null}
        {name !== undefined && !isFenced ? (
          <ActButton
            text="Nobody"
            done={`nobody stands by for ${path}`}
            needs="admin"
            work={() => answerOf(api.POST("/api/v1/tree/standby", { body: { under: path } }))}
          />
        ) : null}
        {isRoot && name !== undefined && isReady ? (
          <DangerButton
            text="Hand over"
            name={name}
            what={`${name} is the root from now on, and this node a child of it. Messages between the nodes go on.`}
            done={`${name} has the place of ${path}`}
            needs="admin"
            work={(headers) => answerOf(api.POST("/api/v1/tree/standby", { body: { under: path, handOver: true }, headers }))}
          />
        ) : null}
      </span>
    </Notice>
  );
}

function titleOf({ name, isReady, isFenced }: { name?: string | undefined; isReady: boolean; isFenced: boolean }): string {
  if (name === undefined) return "Nobody takes its place when it is lost";
  if (isFenced) return `${name} has taken its place`;
  return `${name} takes its place when it is lost${isReady ? "" : ", and is not ready"}`;
}

function Name({ path, names }: { path: string; names: readonly string[] }) {
  const may = useMay("admin");
  const [isOpen, setOpen] = useState(false);
  const [child, setChild] = useState(names[0] ?? "");
  const act = useAct(() => answerOf(api.POST("/api/v1/tree/standby", { body: { node: child, under: path } })), {
    done: `${child} stands by for ${path}`,
    after: () => setOpen(false),
  });
  return (
    <>
      <Button {...may} onClick={() => setOpen(true)}>
        Name a standby …
      </Button>
      <Dialog
        title={`Who takes the place of ${path}`}
        open={isOpen}
        onClose={() => setOpen(false)}
        actions={
          <Button kind="primary" busy={act.isPending} onClick={() => act.mutate()}>
            Name
          </Button>
        }
      >
        <p>Its children go to this one when it is lost for as long as its lease.</p>
        <SelectField label="Child" value={child} options={names} onChange={setChild} />
      </Dialog>
    </>
  );
}
