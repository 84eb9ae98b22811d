import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Declarations } from "../../src/catalog/catalog.ts";
import { defineFlow, meta } from "../../src/declare/index.ts";
import { DIAGRAM_VIEWS, toMermaid } from "../../src/declare/mermaid.ts";
import { parseMetaString } from "../../src/meta/meta-string.ts";
import { declarations } from "./arbitrary.ts";
import { emall } from "./emall.ts";

/** What a text that was escaped says. */
const unescaped = (text: string): string => text.replace(/#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));

interface Drawn {
  /** Titles of nodes, by their ids. */
  readonly titles: Map<string, string[]>;
  /** `from > to`, both by the titles of metas. */
  readonly edges: string[];
}

/** Reads a diagram back, line by line. */
function read(diagram: string): Drawn {
  const titles = new Map<string, string[]>();
  const edges: string[] = [];
  const works = new Map<string, string>();
  for (const line of diagram.split("\n")) {
    const node = /^ +(m\d+)[[(]+"(.*?)"[\])]+(?::::\w+)?$/.exec(line) ?? /^ +(m\d+)\(\((".*")\)\)/.exec(line);
    if (node !== null) {
      const [first = ""] = (node[2] ?? "").split("<br/>");
      titles.set(node[1] ?? "", [...(titles.get(node[1] ?? "") ?? []), unescaped(first)]);
    }
    const edge = /^ {2}(\w+) (?:-->|-\.->)(?:\|".*"\|)? (\w+)/.exec(line);
    if (edge === null) continue;
    const [, from = "", to = ""] = edge;
    if (to.startsWith("w")) works.set(to, from);
    else edges.push(`${titles.get(works.get(from) ?? from)} > ${titles.get(to)}`);
  }
  return { titles, edges };
}

const titleOf = (name: string): string => {
  const { type, key, version } = parseMetaString(name);
  return type === "N" ? "N" : `${type} ${key}:${version}`;
};

describe.each(DIAGRAM_VIEWS)("the diagram of the %s", (view) => {
  test("has every meta and every relation once", () => {
    fc.assert(
      fc.property(declarations, (given) => {
        const { titles, edges } = read(toMermaid(given, view));
        const drawn = [...titles.values()];
        expect(drawn.every((one) => one.length === 1)).toBe(true);
        const names = drawn.flat();
        expect(new Set(names).size).toBe(names.length);
        for (const one of given.metas) expect(names.filter((name) => name === titleOf(one.meta))).toHaveLength(1);
        expect(edges.sort()).toEqual(given.relations.map(({ from, to }) => `${titleOf(from)} > ${titleOf(to)}`).sort());
      }),
    );
  });

  test("is the same whatever the order of the declarations", () => {
    const shuffled = declarations.chain((given) =>
      fc
        .tuple(
          fc.shuffledSubarray([...given.metas], { minLength: given.metas.length }),
          fc.shuffledSubarray([...given.relations], { minLength: given.relations.length }),
        )
        .map(([metas, relations]): [Declarations, Declarations] => [given, { metas, relations }]),
    );
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        expect(toMermaid(one, view)).toBe(toMermaid(other, view));
      }),
    );
  });
});

describe("a diagram", () => {
  const small = defineFlow({
    metas: {
      order: meta("B:sale/order:1", { name: 'the "order"' }),
      state: meta("B:sale/state:1", { states: "new|paid", master: "order" }),
      old: meta("B:old:1", { enabled: false }),
      both: meta("M:sale/both:1", { multiMeta: ["order"] }),
      nothing: meta("N:x:1"),
    },
    executors: { bill: () => ({ type: "none" }) },
    relations: (relate) => [
      relate("order", "state", { target: { addStates: ["new"] } }),
      relate("state", "state", {
        selector: { states: { all: ["new"] }, context: { none: ["gift"] } },
        delayMs: 500,
        executor: "bill",
        target: { addStates: ["paid"], removeStates: ["new"] },
      }),
      relate("state", "both", { executor: { protocol: "http", url: "http://a/b?c=<d>" } }),
      relate("state", "nothing", { enabled: false }),
    ],
  });

  test("of relations says on each what starts it, who does it and what becomes of it; what is disabled is dashed", () => {
    expect(toMermaid(small, "relation")).toBe(
      `flowchart LR
  m0["B old:1"]:::disabled
  m1["B sale/order:1<br/>the #34;order#34;"]
  m2["B sale/state:1<br/>new|paid<br/>of B:sale/order:1"]:::stateful
  m3[["M sale/both:1"]]
  m4(("N"))
  m1 -->|"+new"| m2
  m2 -->|"new, context not gift, after 500 ms · local bill · +paid -new"| m2
  m2 -->|"http://a/b?c=#60;d#62;"| m3
  m2 -.-> m4
  m3 --o m1
  classDef stateful stroke-width:3px
  classDef disabled stroke-dasharray:4 4,opacity:0.6
  classDef undeclared stroke-dasharray:2 4
`,
    );
  });

  test("of the flow has the work between the data", () => {
    const lines = toMermaid(small, "flow").split("\n");
    expect(lines).toContain('  m2 -->|"new, context not gift, after 500 ms"| w1(["local bill"])');
    expect(lines).toContain('  w1 -->|"+paid -new"| m2');
    expect(lines).toContain('  m2 -.-> w3(["auto"]):::disabled');
    expect(lines).toContain("  w3 -.-> m4");
  });

  test("of domains has the metas in the boxes of their keys", () => {
    const domain = toMermaid(emall, "domain");
    expect(domain).toContain(`  subgraph d0["finance"]
    m0["B finance/orderAccount:1<br/>unpaid|partial|paid<br/>of B:sale/order:1"]:::stateful
    m1["B finance/payment:1"]
  end
`);
  });

  test("marks what is used and not declared", () => {
    const text = toMermaid({ metas: [], relations: [{ from: "B:a:1", to: "D:b:1", settings: {}, enabled: true }] }, "relation");
    expect(text).toContain('m0["B a:1"]:::undeclared\n  m1["D b:1"]\n');
  });
});
