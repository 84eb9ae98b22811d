import type { BuiltIn } from "../stage/built-in.ts";
import { fileRead } from "./file-read.ts";
import { fileWrite } from "./file-write.ts";
import { generate } from "./generate.ts";
import { logRead } from "./log-read.ts";
import { logWrite } from "./log-write.ts";
import { routerCall, routerSend } from "./router-actions.ts";
import { routerReceive } from "./router-receive.ts";
import { stdioConnectors } from "./stdio.ts";

/** The sources and sinks that come with the platform, by name. */
export const connectors: readonly BuiltIn[] = [
  fileRead,
  fileWrite,
  generate,
  logRead,
  logWrite,
  routerCall,
  routerReceive,
  routerSend,
  ...stdioConnectors(),
];
