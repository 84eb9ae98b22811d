import { actorContender, actorMeasures } from "../actors.ts";
import type { Bench } from "../contender.ts";
import { withMillion } from "../million.ts";
import { openErlang, openErlangGenServer } from "../peers/erlang.ts";
import { openMoleculerLocal } from "../peers/moleculer-local.ts";
import { type NodeWorld, nodeWorlds } from "../worlds.ts";

const inNode = (name: NodeWorld) => actorContender(name, () => withMillion(name, nodeWorlds[name]));

/** Actors within one process. */
export const actorsBench: Bench = {
  name: "actors",
  question: "How fast do actors of one process send, call, publish and come into being, and how big are they?",
  measures: actorMeasures,
  ours: inNode("ours"),
  peers: [
    actorContender("erlang", openErlang),
    actorContender("erlang-gen_server", openErlangGenServer),
    inNode("nact"),
    inNode("xstate"),
    actorContender("moleculer", openMoleculerLocal),
  ],
};
