import type { Bench } from "../contender.ts";
import { echoContender, echoMeasures } from "../echo.ts";
import { openOurProcessors } from "../ours/processors.ts";
import { openGrpcStream, openGrpcUnary } from "../peers/grpc.ts";
import { openMoleculerNats, openMoleculerTcp } from "../peers/moleculer.ts";

/** Calls to a handler in another process. */
export const processorsBench: Bench = {
  name: "processors",
  question: "How fast does a message reach a handler in another process and its answer come back?",
  measures: echoMeasures,
  ours: echoContender("ours", openOurProcessors),
  peers: [
    echoContender("grpc-unary", openGrpcUnary),
    echoContender("grpc-stream", openGrpcStream),
    echoContender("moleculer-tcp", openMoleculerTcp),
    echoContender("moleculer-nats", openMoleculerNats),
  ],
};
