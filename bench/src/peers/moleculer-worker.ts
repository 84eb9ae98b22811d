/** The process with Moleculer's handler: `node moleculer-worker.ts <transporter as JSON>`. */
import { sayReady } from "../processes.ts";
import { createBroker, type Transporter } from "./moleculer.ts";

const broker = await createBroker("worker", JSON.parse(process.argv[2] ?? "") as Transporter);
broker.createService({ name: "echo", actions: { echo: (context: { params: unknown }) => context.params } });
await broker.start();
sayReady();
