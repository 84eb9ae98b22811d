import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** Where a screen is kept as a picture, for people to look at. */
const PICTURES = join(import.meta.dirname, "screenshots");
const ROOT = join(import.meta.dirname, "..", "..", "..");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A browser of this machine; undefined where there is none, and the tests are left out. */
export function chromiumPath(): string | undefined {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const found = names.map((name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim());
  return process.env.CHROMIUM_PATH ?? found.find((path) => path !== "");
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath() ?? "", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** What `npm start` has brought up. */
export interface Started extends AsyncDisposable {
  /** The address of the console, with the token, as it was printed. */
  readonly consoleUrl: string;
}

/** Does what the README says, on a free port and with a data folder of its own. */
export async function npmStart(data: string): Promise<Started> {
  const child = spawn("npm", ["start", "--silent", "--", "--port", "0", "--data", data], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    const consoleUrl = /^its console: (\S+)$/.exec(line)?.[1];
    if (consoleUrl === undefined) continue;
    child.stderr.resume();
    return {
      consoleUrl,
      async [Symbol.asyncDispose]() {
        // The whole group: npm passes signals on to a shell, which keeps them.
        process.kill(-Number(child.pid), "SIGTERM");
        await ended;
      },
    };
  }
  throw new Error(`npm start ended and has said: ${said.join("\n")}`);
}

/** An agent that joins with a token, in a process of its own; ends with the block. */
export function startAgent(name: string, token: string, data: string): Disposable {
  const program = join(ROOT, "apps/cli/bin/metanode.js");
  const child = spawn(process.execPath, [program, "agent", "--name", name, "--data", data, "--label", `place=${name}`], {
    cwd: ROOT,
    stdio: "ignore",
    env: { ...process.env, METANODE_AGENT_TOKEN: token },
  });
  return { [Symbol.dispose]: () => void child.kill("SIGTERM") };
}

/** A page, and what went wrong in it: nothing is expected to. */
export interface Watched {
  readonly page: Page;
  readonly faults: readonly string[];
}

/** A new page of a given width that writes down errors of the console and of requests. */
export async function watchedPage(context: BrowserContext): Promise<Watched> {
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`thrown: ${error.message}`));
  return { page, faults };
}

export async function keepPicture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${page.viewportSize()?.width}-${name}.png`) });
}

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Faults of accessibility that axe calls serious or critical, one line each. */
export async function seriousFaults(page: Page): Promise<string[]> {
  // Evaluated by the debugger, which the page's policy does not bind.
  await page.evaluate(AXE);
  const violations = (await page.evaluate("axe.run().then((found) => found.violations)")) as Violation[];
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary = "" }) => `${id}: ${html.slice(0, 160)} ${failureSummary.replace(/\s+/g, " ")}`),
    );
}

/** Goes to a screen by the menu, which is behind a button on a narrow page. */
export async function goTo(page: Page, screen: string): Promise<void> {
  const menu = page.getByRole("button", { name: "Menu" });
  if (await menu.isVisible()) await menu.click();
  await page.getByRole("navigation", { name: "Screens" }).getByRole("link", { name: screen, exact: true }).click();
}
