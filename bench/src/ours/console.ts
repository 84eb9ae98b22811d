import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Actor } from "@metanode/actors";
import { openGateway } from "@metanode/gateway";
import { type Contender, importPeer, Unavailable } from "../contender.ts";

/** What is used of playwright-core, which the console's tests bring along. */
interface Playwright {
  readonly chromium: { launch(options: object): Promise<Browser> };
}
interface Browser {
  newPage(options: object): Promise<Page>;
  close(): Promise<void>;
}
interface Page {
  readonly mouse: { move(x: number, y: number): Promise<void>; wheel(dx: number, dy: number): Promise<void> };
  goto(url: string): Promise<unknown>;
  waitForSelector(selector: string): Promise<unknown>;
  waitForFunction(work: string): Promise<{ jsonValue(): Promise<unknown> }>;
  evaluate(work: string): Promise<unknown>;
  close(): Promise<void>;
}

const ACTORS = 5_000;
const INSTANCES = 10_000;
const STAGES = 200;

class Idle extends Actor<unknown> {}

/** The console of a node that is full, in a real browser. */
export const ourConsole: Contender = {
  name: "ours",
  open: async () => {
    const { chromium } = await importPeer<Playwright>("playwright-core");
    const executablePath = ["chromium", "chromium-browser", "google-chrome"]
      .map((name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim())
      .find((path) => path !== "");
    if (executablePath === undefined) throw new Unavailable("there is no Chromium");
    const data = mkdtempSync(join(tmpdir(), "bench-console-"));
    const gateway = await openGateway({ data, listen: { port: 0 }, nature: {}, log: { level: "silent" } });
    await fill(gateway);
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
    const open = async (path: string): Promise<Page> => {
      const page = await browser.newPage({ viewport: { width: 1280, height: 860 }, bypassCSP: true });
      await page.goto(`${gateway.url}/console${path}#token=${gateway.token}`);
      return page;
    };
    const frames = (path: string, ready: string, move: (page: Page) => Promise<void>) => async (durationMs: number) => {
      const page = await open(path);
      try {
        await page.waitForSelector(ready);
        await page.evaluate(RECORD);
        const endMs = performance.now() + durationMs;
        while (performance.now() < endMs) await move(page);
        return Number(await page.evaluate(P95));
      } finally {
        await page.close();
      }
    };
    let down = 1;
    const scroll = async (page: Page): Promise<void> => {
      await page.mouse.move(640, 600);
      await page.mouse.wheel(0, 400 * down);
      if (Math.random() < 0.05) down = -down;
    };
    const pan = async (page: Page): Promise<void> => {
      await page.mouse.move(640, 400);
      await page.mouse.wheel(0, 60 * down);
      if (Math.random() < 0.1) down = -down;
    };
    return {
      samplers: {
        interactive: async () => {
          const page = await open("/");
          const seen = await page.waitForFunction("document.querySelector('h1') && performance.now()");
          const ms = Number(await seen.jsonValue());
          await page.close();
          return ms;
        },
        "script.gzip": async () => {
          const page = await open("/");
          await page.waitForSelector("h1");
          const octets = Number(await page.evaluate(SCRIPT));
          await page.close();
          return octets / 1_024;
        },
        "frame.actors5000": frames("/actors?view=list", ".table tbody tr", scroll),
        "frame.instances10000": frames("/workflows?view=instances", ".table tbody tr", scroll),
        "frame.graph200": frames("/streams/large", ".react-flow__node", pan),
      },
      note: "headless Chromium draws without a graphics card",
      close: async () => {
        await browser.close();
        await gateway.close();
        rmSync(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
      },
    };
  },
};

const RECORD = `(() => {
  window.frames_ = [];
  let last = performance.now();
  const look = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(look); };
  requestAnimationFrame(look);
})()`;
const P95 = "window.frames_.sort((a, b) => a - b)[Math.floor(window.frames_.length * 0.95)]";
const SCRIPT =
  "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('.js')).reduce((sum, one) => sum + one.encodedBodySize, 0)";

async function fill({ actors, nature, streams }: Awaited<ReturnType<typeof openGateway>>): Promise<void> {
  for (let at = 0; at < ACTORS; at++) actors.kernel.spawn(Idle);
  const workflows = nature?.workflows;
  await workflows?.registry.createMeta({ meta: "B:bench/thing:1" });
  for (let at = 0; at < INSTANCES; at += 1_000) {
    const inputs = Array.from({ length: 1_000 }, (_, index) => ({
      meta: "B:bench/thing:1",
      content: JSON.stringify({ number: at + index }),
    }));
    await workflows?.inputMany(inputs);
  }
  // Ten rows of stages side by side, joined at the end.
  const rows = Array.from({ length: 10 }, (_, row) =>
    Array.from({ length: (STAGES - 2) / 10 }, (_unused, at) => `s${row}x${at}`),
  );
  const all = await streams.streams();
  await all.apply({
    name: "large",
    expression: `ticks; (${rows.map((row) => row.join("; ")).join(" || ")}); end`,
    nodes: [
      { name: "ticks", action: "generate", with: { intervalMs: 20 } },
      ...rows.flat().map((name) => ({ name, action: "pass" })),
      { name: "end", action: "filter", with: { path: "never", exists: true } },
    ],
  });
  await all.run("large");
}
