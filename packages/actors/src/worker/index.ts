export { Terminate } from "../identity/index.ts";
export type { AnyWorkerApi, WorkerApi, WorkerHandlers, WorkerThread } from "./api.ts";
export { MessageWorker } from "./message.ts";
export type { WorkerOptions, WorkerRest } from "./options.ts";
export { serveWorker } from "./serve.ts";
export { transfer } from "./transfer.ts";
export { createWorker, type Worker } from "./worker.ts";
