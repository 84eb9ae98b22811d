import { byBytes } from "../byte-order.ts";
import type { Declarations } from "../catalog/catalog.ts";
import { normalMeta, normalRelation, relationName } from "../catalog/normal.ts";
import type { Meta } from "../meta/meta.ts";
import { type MetaString, metaTypeOf, parseMetaString } from "../meta/meta-string.ts";
import type { Condition, Relation } from "../relation/relation.ts";

/**
 * Declarations as a Mermaid flowchart. Every meta is one node and every relation one edge, or, in the flow, one node of its own; what is
 * disabled is dashed. The text depends on what is declared alone, not on the order of it.
 */

/** What a diagram shows: who leads to whom, what belongs to which domain, or who does which work. */
export const DIAGRAM_VIEWS = ["relation", "domain", "flow"] as const;

/** One of {@link DIAGRAM_VIEWS}. */
export type DiagramView = (typeof DIAGRAM_VIEWS)[number];

interface MetaNode {
  readonly id: string;
  readonly meta: MetaString;
  /** Undefined = it is used, and not declared. */
  readonly declared: Meta | undefined;
}

/** @throws meta.syntax, config.invalid */
export function toMermaid(declarations: Declarations, view: DiagramView): string {
  const metas = declarations.metas.map((one) => normalMeta(one));
  const relations = declarations.relations
    .map((one) => normalRelation(one))
    .sort((a, b) => byBytes(relationName(a), relationName(b)));
  const nodes = nodesOf(metas, relations);
  const idOf = (meta: MetaString): string => nodes.get(meta)?.id ?? "";
  return [
    `flowchart ${view === "domain" ? "TB" : "LR"}`,
    ...(view === "domain" ? domainLines([...nodes.values()]) : [...nodes.values()].map((node) => `  ${nodeText(node)}`)),
    ...relations.flatMap((relation, at) => (view === "flow" ? workLines(relation, at, idOf) : [edgeLine(relation, view, idOf)])),
    ...metas.toSorted(byMeta).flatMap((meta) => memberLines(meta, idOf)),
    ...STYLES,
    "",
  ].join("\n");
}

const STYLES = [
  "  classDef stateful stroke-width:3px",
  "  classDef disabled stroke-dasharray:4 4,opacity:0.6",
  "  classDef undeclared stroke-dasharray:2 4",
];

function byMeta(a: { readonly meta: MetaString }, b: { readonly meta: MetaString }): number {
  return byBytes(a.meta, b.meta);
}

/** All metas that are declared or named, in the order of their meta-strings. */
function nodesOf(metas: readonly Meta[], relations: readonly Relation[]): Map<MetaString, MetaNode> {
  const named = metas.flatMap(({ settings }) => [...(settings?.multiMeta ?? []), ...(settings?.master ? [settings.master] : [])]);
  const declared = new Map(metas.map((meta) => [meta.meta, meta]));
  const all = new Set([...declared.keys(), ...named, ...relations.flatMap(({ from, to }) => [from, to])]);
  return new Map([...all].sort(byBytes).map((meta, at) => [meta, { id: `m${at}`, meta, declared: declared.get(meta) }]));
}

function nodeText({ id, meta, declared }: MetaNode): string {
  const { key, version } = parseMetaString(meta);
  const type = metaTypeOf(meta);
  const title = type === "N" ? "N" : `${type} ${key}:${version}`;
  const { states, settings, enabled } = declared ?? {};
  const lines = [title, settings?.name, states, settings?.isState && states === undefined ? "versions" : undefined];
  const master = settings?.master === undefined ? [] : [`of ${settings.master}`];
  const text = [...lines.filter((line) => typeof line === "string"), ...master].map(escaped).join("<br/>");
  const [open, close] = type === "M" || type === "L" ? ["[[", "]]"] : type === "N" ? ["((", "))"] : ["[", "]"];
  return `${id}${open}"${text}"${close}${styleOf({ meta, declared, isEnabled: enabled !== false })}`;
}

function styleOf({ meta, declared, isEnabled }: { meta: MetaString; declared: Meta | undefined; isEnabled: boolean }): string {
  if (!isEnabled) return ":::disabled";
  if (declared === undefined) return ["N", "D"].includes(metaTypeOf(meta)) ? "" : ":::undeclared";
  return declared.states !== undefined || declared.settings?.isState ? ":::stateful" : "";
}

/** One edge for one relation. */
function edgeLine({ from, to, settings, enabled }: Relation, view: DiagramView, idOf: (meta: MetaString) => string): string {
  const label =
    view === "domain" ? "" : [conditionText(settings), workText(settings), effectText(settings)].filter(Boolean).join(" · ");
  return `  ${idOf(from)} ${enabled ? "-->" : "-.->"}${edgeLabel(label)} ${idOf(to)}`;
}

/** One node for the work of one relation: what starts it at its left, what becomes of it at its right. */
function workLines({ from, to, settings, enabled }: Relation, at: number, idOf: (meta: MetaString) => string): string[] {
  const arrow = enabled ? "-->" : "-.->";
  const work = `w${at}(["${escaped(workText(settings) || "auto")}"])${enabled ? "" : ":::disabled"}`;
  return [
    `  ${idOf(from)} ${arrow}${edgeLabel(conditionText(settings))} ${work}`,
    `  w${at} ${arrow}${edgeLabel(effectText(settings))} ${idOf(to)}`,
  ];
}

/** What an M or L meta stands for. */
function memberLines({ meta, settings }: Meta, idOf: (meta: MetaString) => string): string[] {
  return (settings?.multiMeta ?? []).map((member) => `  ${idOf(meta)} --o ${idOf(member)}`);
}

function conditionText({ selector, downSelector, delayMs, delayOnPara }: Relation["settings"]): string {
  return [
    setText("", selector?.states),
    setText("context ", selector?.context),
    setText("engine ", selector?.sysContext),
    setText("target ", downSelector),
    delayMs === undefined ? "" : `after ${delayMs} ms`,
    delayOnPara === undefined ? "" : `${delayOnPara.extraMs} ms after para ${delayOnPara.part}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function setText(what: string, condition: Condition | undefined): string {
  const { none, all, any } = condition ?? {};
  const parts = [all?.join(" & "), any?.join(" or "), none && `not ${none.join(", ")}`].filter(Boolean);
  return parts.length === 0 ? "" : `${what}${parts.join(", ")}`;
}

function workText({ executor, before, after }: Relation["settings"]): string {
  const steps = [...(before ?? []), ...(executor === undefined ? [] : [executor]), ...(after ?? [])];
  return steps
    .map(({ protocol, url }) => (protocol === "http" || protocol === "https" ? url : `${protocol} ${url}`))
    .join(" then ");
}

function effectText({ target }: Relation["settings"]): string {
  return [...(target?.addStates ?? []).map((name) => `+${name}`), ...(target?.removeStates ?? []).map((name) => `-${name}`)].join(
    " ",
  );
}

function edgeLabel(text: string): string {
  return text === "" ? "" : `|"${escaped(text)}"|`;
}

interface Domain {
  readonly nodes: MetaNode[];
  readonly parts: Map<string, Domain>;
}

/** Metas in the boxes that the levels of their keys make. */
function domainLines(nodes: readonly MetaNode[]): string[] {
  const root: Domain = { nodes: [], parts: new Map() };
  for (const node of nodes) {
    let domain = root;
    for (const level of parseMetaString(node.meta).key.split("/").slice(0, -1)) {
      const part = domain.parts.get(level) ?? { nodes: [], parts: new Map() };
      domain.parts.set(level, part);
      domain = part;
    }
    domain.nodes.push(node);
  }
  let boxes = 0;
  const lines = ({ nodes: own, parts }: Domain, depth: number): string[] => {
    const indent = "  ".repeat(depth);
    return [
      ...own.map((node) => `${indent}${nodeText(node)}`),
      ...[...parts].flatMap(([name, part]) => [
        `${indent}subgraph d${boxes++}["${escaped(name)}"]`,
        ...lines(part, depth + 1),
        `${indent}end`,
      ]),
    ];
  };
  return lines(root, 1);
}

/** Text that Mermaid takes for nothing but text. */
function escaped(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, " ").replace(/[#"<>&`\\]/g, (char) => `#${char.charCodeAt(0)};`);
}
