/* Names of the API for those who do not load its routes: these bring Zod and Fastify along. */

/** Media type of RFC 9457. */
export const PROBLEM_TYPE = "application/problem+json";

/** Where executors answer later. */
export const CALLBACK_PATH = "/api/v1/callbacks";
