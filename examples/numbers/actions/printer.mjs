#!/usr/bin/env node
// Sink: sends every number as a decimal line to all who are connected to --port; the reply to a frame is its acknowledgement.
// Like the original it wants SECRET_KEY=please in its environment.
import { createServer } from "node:net";
import { answerFrames } from "./frames.mjs";

if (process.env.SECRET_KEY !== "please") {
  console.error("SECRET_KEY is not please");
  process.exit(1);
}
const port = Number(process.argv.find((word) => word.startsWith("--port="))?.split("=")[1] ?? 12_012);
const clients = new Set();
const server = createServer((client) => {
  clients.add(client.on("close", () => clients.delete(client)).on("error", () => client.destroy()));
}).listen(port, "127.0.0.1", () => console.error(`listening on ${server.address().port}`));
await answerFrames((number) => {
  console.error(`number ${number.readUInt32BE(0)}`);
  for (const client of clients) client.write(`${number.readUInt32BE(0)}\n`);
});
server.close();
for (const client of clients) client.destroy();
