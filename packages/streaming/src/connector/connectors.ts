import type { BuiltIn } from "../stage/built-in.ts";
import { cron } from "./cron.ts";
import { directoryRead } from "./directory-read.ts";
import { fileRead } from "./file-read.ts";
import { fileWrite } from "./file-write.ts";
import { generate } from "./generate.ts";
import { httpIn } from "./http-in.ts";
import { httpOut } from "./http-out.ts";
import { logRead } from "./log-read.ts";
import { logWrite } from "./log-write.ts";
import { natsRead, natsWrite } from "./nats.ts";
import { postgresWrite } from "./postgres-write.ts";
import { routerCall, routerSend } from "./router-actions.ts";
import { routerReceive } from "./router-receive.ts";
import { sqliteWrite } from "./sqlite-write.ts";
import { stdioConnectors } from "./stdio.ts";
import { tcpIn, tcpOut } from "./tcp.ts";
import { websocketIn, websocketOut } from "./websocket.ts";

/** The sources and sinks that come with the platform, by name. */
export const connectors: readonly BuiltIn[] = [
  cron,
  directoryRead,
  fileRead,
  fileWrite,
  generate,
  httpIn,
  httpOut,
  logRead,
  logWrite,
  natsRead,
  natsWrite,
  postgresWrite,
  routerCall,
  routerReceive,
  routerSend,
  sqliteWrite,
  ...stdioConnectors(),
  tcpIn,
  tcpOut,
  websocketIn,
  websocketOut,
];
