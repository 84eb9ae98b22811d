/**
 * Makes the typed clients in `src/generated/` from the schemas in `prisma/`, if they are not there yet. Prisma's own command line does the
 * same, but brings 190 MB and wants to download an engine first; its generator needs neither.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";

// Their modules for `import` name files that were not published (7.10).
const require = createRequire(import.meta.url);

const packageFolder = path.join(import.meta.dirname, "..");

for (const dialect of ["sqlite", "postgresql"]) {
  const schema = path.join(packageFolder, "prisma", dialect, "schema.prisma");
  const folder = path.join(packageFolder, "src", "generated", dialect);
  const stampFile = path.join(folder, ".stamp");
  const stamp = createHash("sha256")
    .update(readFileSync(schema))
    .update(readFileSync(import.meta.filename))
    .digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) continue;
  rmSync(folder, { recursive: true, force: true });
  await generate(schema);
  // They set a global variable for an engine that this client does without.
  const client = path.join(folder, "client.ts");
  writeFileSync(client, readFileSync(client, "utf8").replace(/^globalThis\['__dirname'\].*$/m, ""));
  writeFileSync(stampFile, stamp);
}

async function generate(schema: string): Promise<void> {
  const { PrismaClientTsGenerator } = require("@prisma/client-generator-ts") as typeof import("@prisma/client-generator-ts");
  const { getGenerators, loadSchemaContext } = require("@prisma/internals") as typeof import("@prisma/internals");
  const generators = await getGenerators({
    schemaContext: await loadSchemaContext({ schemaPath: { cliProvidedPath: schema }, printLoadMessage: false }),
    registry: { "prisma-client": { type: "in-process", generator: new PrismaClientTsGenerator() } },
    skipDownload: true,
    cliCommand: "prisma",
  });
  for (const generator of generators) {
    await generator.generate();
    generator.stop();
  }
}
