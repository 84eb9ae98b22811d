import { actorContender, actorMeasures } from "../actors.ts";
import type { Bench } from "../contender.ts";
import { openOurActors } from "../ours/actors.ts";
import { openNact } from "../peers/nact.ts";

/** Actors within one process. */
export const actorsBench: Bench = {
  name: "actors",
  question: "How fast do actors of one process send, call and come into being?",
  measures: actorMeasures,
  ours: actorContender("ours", openOurActors),
  peers: [actorContender("nact", openNact)],
};
