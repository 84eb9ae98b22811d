/** A real systemd of a user, for one test: with a home and a folder for its sockets of its own, so that it knows no unit but the test's. Not a test. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";

const PROGRAM = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].find((file) => existsSync(file));

/** Why tests that need it are skipped, if they are. */
export const NO_SYSTEMD =
  PROGRAM === undefined || !existsSync("/run/systemd/system")
    ? "systemd does not run here, and without it none runs for a user"
    : undefined;

export interface UserSystemd extends AsyncDisposable {
  /** What whoever speaks to it needs in the environment. */
  readonly env: Readonly<Record<string, string>>;
}

export async function startUserSystemd(folder: string, home: string): Promise<UserSystemd> {
  const runtime = join(folder, "runtime");
  await mkdir(runtime, { mode: 0o700 });
  const { PATH = "" } = process.env;
  // That units outlive a session is a setting of the user who runs the tests, which they leave alone.
  const programs = join(folder, "bin");
  await mkdir(programs);
  await writeFile(join(programs, "loginctl"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  const env = { HOME: home, PATH: `${programs}:${PATH}`, XDG_RUNTIME_DIR: runtime };
  const child = spawn(PROGRAM as string, ["--user", "--log-target=null"], { env, stdio: "ignore" });
  const ask = (...args: string[]): string => spawnSync("systemctl", ["--user", ...args], { env, encoding: "utf8" }).stdout.trim();
  await expect.poll(() => ask("is-system-running")).toMatch(/running|degraded/);
  return {
    env,
    async [Symbol.asyncDispose]() {
      const isOver = once(child, "exit");
      ask("exit");
      await isOver;
    },
  };
}
