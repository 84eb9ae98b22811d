/** The process that answers the gRPC peers: `node grpc-server.ts <unix socket>`. */
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { sayReady } from "../processes.ts";
import { decode, encode, loadEcho, type WirePayload } from "./grpc.ts";

/** The handler proper: gets an object and gives it back. */
function answer({ number, data }: WirePayload): WirePayload {
  return { number, data: encode(decode(data)) };
}

const { grpc, Echo } = await loadEcho();
const server = new grpc.Server();
server.addService(Echo.service, {
  Unary: (call: ServerUnaryCall<WirePayload, WirePayload>, done: sendUnaryData<WirePayload>) => done(null, answer(call.request)),
  Stream: (call: ServerDuplexStream<WirePayload, WirePayload>) => {
    call.on("data", (request: WirePayload) => call.write(answer(request)));
    call.on("end", () => call.end());
  },
});
await new Promise<void>((resolve, reject) => {
  server.bindAsync(`unix:${process.argv[2]}`, grpc.ServerCredentials.createInsecure(), (error) =>
    error ? reject(error) : resolve(),
  );
});
sayReady();
