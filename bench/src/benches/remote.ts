import type { Bench } from "../contender.ts";
import { ourRemote } from "../ours/remote.ts";
import { remoteContender, remoteMeasures } from "../remote.ts";

/** Actors on two nodes. */
export const remoteBench: Bench = {
  name: "remote",
  question: "How fast do actors on two nodes send and call?",
  measures: remoteMeasures,
  ours: remoteContender("ours", ourRemote),
  peers: [],
};
