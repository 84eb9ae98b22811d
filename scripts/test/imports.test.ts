import { describe, expect, test } from "vitest";
import { readReferences, rewriteReferences } from "../lib/imports.ts";

function specifiers(source: string): string[] {
  return readReferences(source).map(({ specifier }) => specifier);
}

describe("reading the imports of a module", () => {
  test("finds every form of statement, with its line", () => {
    const source = [
      'import a from "./a.ts";',
      'import "./b.ts";',
      "import type {",
      "  C,",
      '} from "./c.ts";',
      'export * from "./d.ts";',
      'export { e as "quoted name" } from "./e.ts";',
      'export type { F } from "./f.ts";',
      'const g = await import("./g.ts");',
      'type H = import("./h.ts").H;',
      'const i = require("./i.cjs");',
      'import j, * as all from "./j.ts";',
      'import data from "./k.json" with { type: "json" };',
    ].join("\n");
    expect(readReferences(source).map(({ specifier, line }) => [specifier, line])).toEqual([
      ["./a.ts", 1],
      ["./b.ts", 2],
      ["./c.ts", 5],
      ["./d.ts", 6],
      ["./e.ts", 7],
      ["./f.ts", 8],
      ["./g.ts", 9],
      ["./h.ts", 10],
      ["./i.cjs", 11],
      ["./j.ts", 12],
      ["./k.json", 13],
    ]);
  });

  test("tells type-only statements from a value that is named type", () => {
    const source = 'import type { A } from "a"; import type from "b"; import type, { C } from "c"; export type * from "d";';
    expect(readReferences(source).map(({ specifier, typeOnly }) => [specifier, typeOnly])).toEqual([
      ["a", true],
      ["b", false],
      ["c", false],
      ["d", true],
    ]);
  });

  test("tells files that are named by URL from those that are imported", () => {
    const source = 'new URL("./worker.ts", import.meta.url); import.meta.resolve("pkg/main"); new URL("http://host/");';
    expect(readReferences(source).map(({ specifier, kind }) => [specifier, kind])).toEqual([
      ["./worker.ts", "url"],
      ["pkg/main", "url"],
    ]);
  });

  test("reads nothing from comments, strings, templates and regular expressions", () => {
    const source = [
      '// import "no"',
      '/* import "no";\n import "no" */',
      "const text = 'import \"no\"';",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a module that has a template
      'const template = `import "no"; ${`nested import("no")`} import("no")`;',
      'const pattern = /import "no"/g;',
      "const quote = /[\"'`]/; const ratio = 4 / 2 / 1;",
      'import "yes";',
    ].join("\n");
    expect(specifiers(source)).toEqual(["yes"]);
  });

  test("reads an import inside the braces of a template", () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a module that has a template
    expect(specifiers('const text = `a ${await import("./in.ts")} b ${{ c: `d` }.c} e`; import("./after.ts");')).toEqual([
      "./in.ts",
      "./after.ts",
    ]);
  });

  test("is not misled by members and keys of the same names", () => {
    const source = [
      'const conditions = { import: "./no.js", export: "./no.js" };',
      'loader.import("no"); loader.require("no"); exporter.export("no");',
      "export const from = 1;",
      'export { from }; const s = "no";',
      'export type Kind = "no";',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a module that has a template
      "import(`./${name}.ts`); import(variable);",
    ].join("\n");
    expect(specifiers(source)).toEqual([]);
  });
});

describe("rewriting the imports of a module", () => {
  test("changes only the specifiers that are given another text", () => {
    const source = 'import "./a.ts"; // ./a.ts\nexport { b } from "b"; new URL("./c.ts", import.meta.url);';
    const toJs = rewriteReferences(source, ({ specifier }) =>
      specifier.endsWith(".ts") ? specifier.replace(/ts$/, "js") : undefined,
    );
    expect(toJs).toBe('import "./a.js"; // ./a.ts\nexport { b } from "b"; new URL("./c.js", import.meta.url);');
  });
});
