import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import { type Contender, type Running, Unavailable } from "../contender.ts";
import { startFlows } from "../flow-process.ts";
import { diskFolder, freePort, type Started, track } from "../processes.ts";

const START_TIMEOUT_MS = 30_000;

/** Where a Restate server listens. */
export interface RestatePorts {
  /** Takes the calls. */
  readonly ingress: number;
  readonly admin: number;
}

/** Restate: its server, as it comes, and a service with its SDK whose steps are `ctx.run`. */
export const restate: Contender = {
  name: "restate",
  open: async (): Promise<Running> => {
    const folder = diskFolder("restate-");
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    const server = await startServer(folder).catch((error: unknown) => {
      remove();
      throw error;
    });
    const close = async (): Promise<void> => {
      await server.stop();
      remove();
    };
    try {
      const { sampler, stop } = await startFlows("restate", JSON.stringify(server.ports));
      const flow3 = sampler("flow3");
      return {
        samplers: {
          "flow3.sqlite": flow3,
          "flow3.postgres": flow3,
          "flow3.stepwise": flow3,
          "flow3.million": flow3,
          "relay10.sqlite": sampler("relay10"),
        },
        note: "its own server with its defaults, one node; a service with ctx.run per step, called through its ingress; the server is under the Business Source License and only runs here beside ours",
        close: () => stop().then(close),
      };
    } catch (error) {
      await close();
      throw error;
    }
  },
};

async function startServer(folder: string): Promise<Started & { readonly ports: RestatePorts }> {
  const program = serverProgram();
  const [ingress, admin, fabric] = await Promise.all([freePort(), freePort(), freePort()]);
  const env = {
    ...process.env,
    RUST_LOG: "off",
    RESTATE_DISABLE_TELEMETRY: "true",
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_BIND_IP: "127.0.0.1",
    RESTATE_BIND_PORT: String(fabric),
    RESTATE_INGRESS__BIND_PORT: String(ingress),
    RESTATE_ADMIN__BIND_PORT: String(admin),
  };
  const child = spawn(program, ["--no-logo", "--base-dir", folder], { stdio: "ignore", env });
  const { stop } = track(child);
  for (const endMs = performance.now() + START_TIMEOUT_MS; performance.now() < endMs && child.exitCode === null; ) {
    const isUp = await Promise.all([isHealthy(admin, "health"), isHealthy(ingress, "restate/health")]);
    if (isUp.every((up) => up)) return { stop, ports: { ingress, admin } };
    await delay(50);
  }
  await stop();
  throw new Unavailable("restate-server did not start");
}

async function isHealthy(port: number, path: string): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/${path}`).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok === true;
}

function serverProgram(): string {
  const name = `@restatedev/restate-server-${process.platform}-${process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/restate-server`);
  } catch (cause) {
    throw new Unavailable(`${name} is not installed`, { cause });
  }
}
