import { answerOf } from "@metanode/client";
import { useState } from "react";
import { api } from "../api.ts";
import { useAct } from "../parts/act.tsx";
import { Button } from "../parts/button.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { useMay } from "../parts/role.ts";
import { labelsOf } from "./tree.tsx";

type LabelMap = Readonly<Record<string, string>>;

/** Labels as people write them: `region=eu rack=r3`; undefined if a word is none. */
export function parseLabels(text: string): LabelMap | undefined {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  if (!words.every((word) => word.indexOf("=") > 0)) return undefined;
  return Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]));
}

/** Changes the labels of a node. */
export function Labels({ path, labels }: { path: string; labels: LabelMap }) {
  const may = useMay("operator");
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState("");
  const wanted = parseLabels(text);
  const act = useAct(
    (set: LabelMap) => {
      const remove = Object.keys(labels).filter((name) => set[name] === undefined);
      return answerOf(api.POST("/api/v1/tree/labels", { body: { node: path, set: { ...set }, remove } }));
    },
    { done: `${path} has other labels`, after: () => setOpen(false) },
  );
  const open = (): void => {
    setText(labelsOf(labels));
    setOpen(true);
  };
  return (
    <>
      <Button {...may} onClick={open}>
        Labels …
      </Button>
      <Dialog
        title={`Labels of ${path}`}
        open={isOpen}
        onClose={() => setOpen(false)}
        actions={
          <Button
            kind="primary"
            busy={act.isPending}
            disabled={wanted === undefined}
            onClick={() => (wanted === undefined ? undefined : act.mutate(wanted))}
          >
            Set
          </Button>
        }
      >
        <TextField
          label="Labels"
          value={text}
          onChange={setText}
          placeholder="region=eu rack=r3"
          hint="name=value, apart by spaces"
        />
      </Dialog>
    </>
  );
}
