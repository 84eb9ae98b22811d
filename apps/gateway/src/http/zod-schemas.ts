import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";

/**
 * Schemas are those of Zod: options for a server. Given to it, and not set afterwards, so that Fastify does not load its own compilers, which
 * stand on Ajv and would never be used.
 */
export const ZOD_SCHEMAS = {
  // Fastify's types for this know Ajv's schemas alone.
  schemaController: {
    compilersFactory: { buildValidator: () => validatorCompiler, buildSerializer: () => serializerCompiler } as object,
  },
};
