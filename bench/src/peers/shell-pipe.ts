import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Contender, type Sampler, Unavailable } from "../contender.ts";
import { linesFile, linesFolder, prove, sizes } from "../stream-load.ts";

const run = promisify(execFile);

/** The same programs over the same file, joined by a shell. Nothing is acknowledged and nothing comes again. */
export const shellPipe: Contender = {
  name: "shell-pipe",
  async open() {
    if (process.platform === "win32") throw new Unavailable("there is no sh");
    const folder = linesFolder();
    const samplers = Object.entries(sizes).map(([size, length]): [string, Sampler] => [
      `pipe4.external${size}`,
      () => sample(folder, length),
    ]);
    return { samplers: Object.fromEntries(samplers), close: async () => undefined };
  },
};

async function sample(folder: string, length: number): Promise<number> {
  const file = linesFile(folder, length);
  const startMs = performance.now();
  const { stdout } = await run("sh", ["-c", `cat "$1" | grep a | tr a-z A-Z | wc -l`, "sh", file.path], {
    env: { PATH: process.env.PATH, LC_ALL: "C" },
  });
  const seconds = (performance.now() - startMs) / 1_000;
  prove({ lines: Number(stdout) }, { lines: file.matching });
  return file.bytes / 1e6 / seconds;
}
