/**
 * The processor: one process of the pool that inspects packages. The node starts it; see main.ts.
 */
import { defineProcessor, serve } from "@metanode/core/processor";
import { z } from "zod";
import { FINDING_KINDS } from "./finding.ts";
import { findDuplicates, INTEGRITY_KINDS, inspectPackage } from "./inspect.ts";

const entry = z.object({
  version: z.string().optional(),
  resolved: z.union([z.string(), z.boolean()]).optional(),
  integrity: z.string().optional(),
  license: z.unknown().optional(),
  hasInstallScript: z.boolean().optional(),
  inBundle: z.boolean().optional(),
  engines: z.unknown().optional(),
});

const finding = z.object({
  kind: z.enum(FINDING_KINDS),
  name: z.string(),
  version: z.string(),
  path: z.string(),
  text: z.string(),
});

const inspection = z.object({
  path: z.string(),
  name: z.string(),
  version: z.string(),
  license: z.object({
    kind: z.enum(["permissive", "weak_copyleft", "strong_copyleft", "unknown", "missing"]),
    expression: z.string().nullable(),
    isValid: z.boolean(),
  }),
  hasInstallScript: z.boolean(),
  integrity: z.enum(INTEGRITY_KINDS),
  engines: z.object({ node: z.string().nullable(), excludesNode: z.boolean() }),
  findings: z.array(finding).readonly(),
});

const duplicate = z.object({ name: z.string(), versions: z.array(z.string()).readonly() });

/** Inspects packages of a lockfile. */
export const inspector = defineProcessor({
  name: "lockfile-inspector",
  types: {
    "lockfile.inspect": {
      description: "What a lockfile entry says of one package, and what a person should look at",
      input: z.object({ path: z.string(), name: z.string(), node: z.string(), entry }),
      output: inspection,
      handle: inspectPackage,
    },
    "lockfile.duplicates": {
      description: "The names that occur in several versions; a message must hold every occurrence of the names in it",
      input: z.object({ packages: z.array(z.object({ name: z.string(), version: z.string() })) }),
      output: z.array(duplicate),
      handle: ({ packages }) => findDuplicates(packages),
    },
  },
});

if (import.meta.main) await serve(inspector);
