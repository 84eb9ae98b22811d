/** An engine of containers, if there is one, and an image with nothing in it but what Node needs. Not a test. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder with everything that an agent is made of; containers have it under the same path. */
export const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");

export interface Engine extends Disposable {
  readonly program: string;
  readonly image: string;
}

/** Runs a command to its end. @throws {Error} it failed */
export function output(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args[0]} ended with ${status}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** Runs a line of JavaScript to its end in a container of its own. @throws {Error} it failed */
export function runNode({ program, image }: Engine, flags: readonly string[], line: string): void {
  const name = `${image.replace(":", "-")}-${randomBytes(4).toString("hex")}`;
  const volume = ["--volume", `${REPOSITORY}:${REPOSITORY}:ro`];
  try {
    output(program, "run", "--detach", "--name", name, ...flags, ...volume, image, process.execPath, "--eval", line);
    const status = output(program, "wait", name).trim();
    if (status !== "0")
      throw new Error(`it ended with ${status}: ${spawnSync(program, ["logs", name], { encoding: "utf8" }).stderr}`);
  } finally {
    spawnSync(program, ["rm", "--force", name]);
  }
}

/** Makes an image and starts a container of it; gives the reason where that does not go. */
export function findEngine(): Engine | string {
  const program = ["docker", "podman"].find((one) => spawnSync(one, ["info"], { stdio: "ignore" }).status === 0);
  if (program === undefined) return "neither docker nor podman answers here";
  const image = `metanode-deploy-test:${process.pid}`;
  const engine: Engine = { program, image, [Symbol.dispose]: () => void spawnSync(program, ["rmi", "--force", image]) };
  const folder = mkdtempSync(join(tmpdir(), "mn-"));
  try {
    const libraries = output("ldd", process.execPath).match(/\/\S+/g) ?? [];
    for (const name of ["tmp", "etc"]) mkdirSync(join(folder, name));
    const archive = join(folder, "image.tar");
    output("tar", "-chf", archive, "-C", "/", ...libraries.map((file) => file.slice(1)), "-C", folder, "tmp", "etc");
    output(program, "import", archive, image);
    runNode(engine, ["--network", "host"], "0");
    return engine;
  } catch (error) {
    engine[Symbol.dispose]();
    return `${program} answers, but runs nothing here: ${(error as Error).message}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
