import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/host.ts";

/** Why tests that need a server are skipped, if they are. */
export const NO_NATS =
  spawnSync("nats-server", ["--version"]).status === 0 ? undefined : "nats-server is not on the PATH; install it to run these";

/** A NATS server of a test's own. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Ends it at once, as a machine that loses its power; connections break. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @param settings lines of its configuration, for example `max_payload: 4096` */
export async function startNats(settings = ""): Promise<NatsServer> {
  const folder = await temporaryFolder();
  const port = await freePort();
  const file = join(folder.path, "nats.conf");
  await writeFile(file, `listen: "127.0.0.1:${port}"\n${settings}\n`);
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    child = spawn("nats-server", ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    await new Promise<void>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}: ${said}`)));
      child.stderr?.on("data", (chunk) => {
        said += String(chunk);
        if (said.includes("Server is ready")) resolve();
      });
    });
  };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const isOver = once(child, "exit");
    child.kill("SIGKILL");
    await isOver;
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    kill,
    start,
    signal: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      await kill();
      await folder[Symbol.asyncDispose]();
    },
  };
}
