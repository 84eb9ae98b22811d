/** The process with our receiver: `node remote-node.ts <address> <cookie>`. */
import { createKernel } from "@metanode/actors";
import { dialGrpc } from "@metanode/actors/grpc";
import { sayReady } from "../processes.ts";
import { Receiver } from "./remote.ts";

const [address = "", cookie = ""] = process.argv.slice(2);
const kernel = createKernel({ name: "receiver@bench", network: { cookie } });
kernel.spawn(Receiver, { name: "receiver" });
await kernel.connect(await dialGrpc(address));
sayReady();
