import { actorContender, actorMeasures } from "../actors.ts";
import type { Bench } from "../contender.ts";
import { withMillion } from "../million.ts";
import { ourRemote } from "../ours/remote.ts";
import { openErlang, openErlangGenServer } from "../peers/erlang.ts";
import { openMoleculerLocal } from "../peers/moleculer-local.ts";
import { remoteContender, remoteMeasures } from "../remote.ts";
import { joined, tcpEchoContender, tcpEchoMeasures } from "../tcp-echo.ts";
import { type NodeWorld, nodeWorlds } from "../worlds.ts";

const inNode = (name: NodeWorld) => actorContender(name, () => withMillion(name, nodeWorlds[name]));

/** Actors within one process, behind a socket, and on two nodes. */
export const actorsBench: Bench = {
  name: "actors",
  question: "How fast do actors of one process send, call, publish and come into being, and how big are they?",
  measures: [...actorMeasures, ...tcpEchoMeasures, ...remoteMeasures],
  ours: joined("ours", [
    inNode("ours"),
    tcpEchoContender("ours", new URL("../ours/tcp-echo-server.ts", import.meta.url)),
    remoteContender("ours", ourRemote),
  ]),
  peers: [
    tcpEchoContender("node-net", new URL("../peers/node-net-server.ts", import.meta.url)),
    actorContender("erlang", openErlang),
    actorContender("erlang-gen_server", openErlangGenServer),
    inNode("nact"),
    inNode("xstate"),
    actorContender("moleculer", openMoleculerLocal),
  ],
};
