/**
 * What is used of `node:http`; types are imported from there. To import a value from there reads every name that the module exports,
 * and to read one of them, `WebSocket`, Node loads undici: 4 MB of a process that uses neither.
 */
export const { Agent, createServer, request, STATUS_CODES } = process.getBuiltinModule("node:http");
