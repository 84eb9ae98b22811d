import { actorContender, actorMeasures } from "../actors.ts";
import type { Bench } from "../contender.ts";
import { openOurActors } from "../ours/actors.ts";
import { openNact } from "../peers/nact.ts";
import { joined, tcpEchoContender } from "../tcp-echo.ts";

/** Actors within one process. */
export const actorsBench: Bench = {
  name: "actors",
  question: "How fast do actors of one process send, call and come into being?",
  measures: actorMeasures,
  ours: joined("ours", [
    actorContender("ours", openOurActors),
    tcpEchoContender("ours", new URL("../ours/tcp-echo-server.ts", import.meta.url)),
  ]),
  peers: [
    actorContender("nact", openNact),
    tcpEchoContender("node-net", new URL("../peers/node-net-server.ts", import.meta.url)),
  ],
};
