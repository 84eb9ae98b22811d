import {
  Background,
  Controls,
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  useReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import "../style/graph.css";
import { memo, useEffect, useMemo } from "react";
import type { Tone } from "../parts/badge.tsx";
import { BOX_SIZE, type DrawnBox, type DrawnLine } from "./drawn.ts";
import type { Places } from "./layout.ts";

const COLOURS: Readonly<Record<Tone, string>> = {
  good: "var(--good)",
  warn: "var(--warn)",
  bad: "var(--bad)",
  none: "var(--line-strong)",
};

type BoxNode = Node<Omit<DrawnBox, "id"> & { isChosen: boolean }, "box">;

const BoxView = memo(function BoxView({ data }: NodeProps<BoxNode>) {
  const { title, kind, lines = [], tone = "none", isChosen } = data;
  return (
    <div className="box" data-tone={tone} data-chosen={isChosen}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className="box-title">{title}</span>
      {kind === undefined ? null : <span className="box-kind">{kind}</span>}
      {lines.map((line) => (
        <span className="box-line" key={line}>
          {line}
        </span>
      ))}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
});

const nodeTypes = { box: BoxView };
/** From this many boxes on only those in view are drawn. */
const VISIBLE_ONLY_FROM = 120;

/** Boxes and lines on a canvas that can be moved, zoomed and walked through by Tab. */
export function Canvas(props: {
  label: string;
  boxes: readonly DrawnBox[];
  lines: readonly DrawnLine[];
  places: Places;
  chosen?: string | undefined;
  onBox?: (id: string) => void;
  onLine?: (from: string, to: string) => void;
}) {
  const { label, boxes, lines, places, chosen, onBox, onLine } = props;
  const nodes = useMemo(
    () =>
      boxes.map(
        ({ id, ...data }): BoxNode => ({
          id,
          type: "box",
          position: places.get(id) ?? { x: 0, y: 0 },
          data: { ...data, isChosen: id === chosen },
          width: BOX_SIZE.width,
          height: BOX_SIZE.height,
          ariaLabel: `${data.title} ${data.kind ?? ""}`,
          draggable: false,
          connectable: false,
        }),
      ),
    [boxes, places, chosen],
  );
  const edges = useMemo(() => lines.map(edgeOf), [lines]);
  return (
    <section className="canvas" aria-label={label}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        fitView
        minZoom={0.05}
        nodesConnectable={false}
        edgesFocusable={onLine !== undefined}
        onlyRenderVisibleElements={boxes.length >= VISIBLE_ONLY_FROM}
        onNodeClick={(_event, { id }) => onBox?.(id)}
        onEdgeClick={(_event, { source, target }) => onLine?.(source, target)}
        onKeyDown={(event) => {
          const id = (event.target as HTMLElement).closest(".react-flow__node")?.getAttribute("data-id");
          if (event.key === "Enter" && id !== null && id !== undefined) onBox?.(id);
        }}
        proOptions={{ hideAttribution: false }}
      >
        <Background gap={24} />
        <Controls showInteractive={false} />
        <Fit key={boxes.map(({ id }) => id).join("\n")} />
      </ReactFlow>
    </section>
  );
}

/** Shows the whole when what there is has changed. */
function Fit() {
  const { fitView } = useReactFlow();
  useEffect(() => {
    const frame = requestAnimationFrame(() => void fitView({ padding: 0.1, maxZoom: 1.2 }));
    return () => cancelAnimationFrame(frame);
  }, [fitView]);
  return null;
}

function edgeOf({ from, to, label, thickness = 1.5, tone = "none", isMoving = false }: DrawnLine): Edge {
  const colour = COLOURS[tone];
  return {
    id: `${from}..${to}`,
    source: from,
    target: to,
    ...(label === undefined ? {} : { label }),
    ariaLabel: `${from} to ${to}${label === undefined ? "" : `, ${label}`}`,
    animated: isMoving && !matchMedia("(prefers-reduced-motion: reduce)").matches,
    style: { strokeWidth: thickness, stroke: colour },
    markerEnd: { type: MarkerType.ArrowClosed, color: colour },
  };
}
