export { createFetchHandler, FetchHandler, type FetchHandlerOptions } from "./fetch-handler.ts";
export type { Refusal } from "./refusal.ts";
export { createWebHandler, WebHandler, type WebHandlerOptions } from "./web-handler.ts";
export { MessageWebRequest } from "./web-request.ts";
export {
  openWebServer,
  type UpgradeListener,
  type WebListener,
  type WebMount,
  WebServer,
  type WebServerOptions,
} from "./web-server.ts";
export { WebWorker } from "./web-worker.ts";
