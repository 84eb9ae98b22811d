/** The baseline of the bench of echoes: `node:net` and nothing else, with the socket options that ours has by default. */
import { createServer } from "node:net";
import { sayReady } from "../processes.ts";

createServer({ noDelay: true, keepAlive: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
}).listen(Number(process.argv[2]), "127.0.0.1", sayReady);
