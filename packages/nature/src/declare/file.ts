import { coreError } from "@metanode/core/errors";
import { rejectUnknownKeys } from "@metanode/core/internal";
import type { Declarations } from "../catalog/catalog.ts";
import { normalMeta, normalRelation } from "../catalog/normal.ts";
import type { Meta } from "../meta/meta.ts";
import type { Relation } from "../relation/relation.ts";
import { optionalList, optionalObject, refuse } from "../shape.ts";

/** What marks a file of declarations, and the version of its shape. */
export const FILE_FORMAT = "metanode.workflows";
const FILE_VERSION = 1;

/** Declarations as a file: JSON, in their normal form. */
export interface DeclarationFile {
  readonly format: typeof FILE_FORMAT;
  readonly version: typeof FILE_VERSION;
  readonly metas: readonly Meta[];
  readonly relations: readonly Relation[];
}

/** Declarations as they stand in a file. @throws meta.syntax, config.invalid */
export function toFile({ metas, relations }: Declarations): DeclarationFile {
  return {
    format: FILE_FORMAT,
    version: FILE_VERSION,
    metas: metas.map((one) => normalMeta(one)),
    relations: relations.map((one) => normalRelation(one)),
  };
}

/**
 * Declarations from parsed JSON. Each member is checked for its type, and none is unknown; whether all fit together is for a catalog to say.
 * @throws config.invalid – `details.path` says where; meta.syntax
 */
export function fromFile(given: unknown): Declarations {
  const file = optionalObject("file", given) ?? refuse("file", given, "an object");
  if (file.format !== FILE_FORMAT) refuse("format", file.format, JSON.stringify(FILE_FORMAT));
  if (file.version !== FILE_VERSION) {
    throw coreError(
      "config.invalid",
      `version is ${JSON.stringify(file.version)}, this program reads ${FILE_VERSION}; update it`,
      {
        details: { path: "version" },
      },
    );
  }
  rejectUnknownKeys("", file, ["format", "version", "metas", "relations"]);
  const metas = optionalList("metas", file.metas) ?? [];
  const relations = optionalList("relations", file.relations) ?? [];
  return {
    metas: metas.map((one, at) => normalMeta(one as Meta, `metas[${at}]`)),
    relations: relations.map((one, at) => normalRelation(one as Relation, `relations[${at}]`)),
  };
}
