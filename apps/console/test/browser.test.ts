import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  chromiumPath,
  goTo,
  keepPicture,
  npmStart,
  openBrowser,
  type Started,
  seriousFaults,
  startAgent,
  watchedPage,
} from "./browser.ts";

/**
 * What a newcomer does, in a real browser: `npm start`, open the address that it prints, and find the way to each of the
 * models. Left out where there is no Chromium (`CHROMIUM_PATH` names one).
 */
const WIDTHS = [
  { width: 1280, height: 860 },
  { width: 390, height: 844 },
] as const;
/** Script that the first view may load, compressed, in bytes. */
const MAX_SCRIPT_BYTES = 200 * 1_024;

describe.skipIf(chromiumPath() === undefined)("a newcomer with a browser", () => {
  const folder = mkdtempSync(join(tmpdir(), "console-test-"));
  let started: Started;
  let browser: Browser;

  beforeAll(async () => {
    [started, browser] = await Promise.all([npmStart(join(folder, "data")), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await started?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });

  test.each(WIDTHS)("finds the way to every model, $width pixels wide", { timeout: 180_000 }, async (viewport) => {
    await using context = await browser.newContext({ viewport, reducedMotion: "reduce" });
    const { page, faults } = await watchedPage(context);
    page.setDefaultTimeout(30_000);
    const serious: string[] = [];
    const look = async (name: string): Promise<void> => {
      serious.push(...(await seriousFaults(page)).map((fault) => `${name}: ${fault}`));
      await keepPicture(page, name);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(overflow, `${name} is wider than the page`).toBeLessThanOrEqual(0);
    };
    const graph = `demo${viewport.width}`;
    const file = join(folder, `${graph}.txt`);

    await page.goto(started.consoleUrl);
    await page.getByRole("heading", { name: "lockfile-audit", level: 1 }).waitFor();
    await page.getByRole("link", { name: "lockfile.inspect" }).waitFor();
    expect(page.url(), "the token does not stay in the address").not.toContain("token");
    expect(await scriptBytes(page)).toBeLessThan(MAX_SCRIPT_BYTES);
    await look("overview");

    await sendMessage(page, look);
    await seeActor(page, look);
    await followUpstream(page, look);
    await drawGraph(page, { graph, file }, look);
    await replayDeadLetter(page, { graph, file }, look);

    for (const screen of ["Processors", "Access", "Settings"]) {
      await goTo(page, screen);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await look(screen.toLowerCase());
    }
    await goTo(page, "Processors");
    await page.getByRole("link", { name: "lockfile-inspector" }).click();
    await page.getByRole("table").getByText("lockfile-inspector.0").waitFor();
    await look("processor");
    expect(serious).toEqual([]);
    expect(faults).toEqual([]);
  });

  test.each(WIDTHS)(
    "manages another node: token, message for all, maintenance, release, $width pixels wide",
    { timeout: 120_000 },
    async (viewport) => {
      await using context = await browser.newContext({ viewport, reducedMotion: "reduce" });
      const { page, faults } = await watchedPage(context);
      page.setDefaultTimeout(30_000);
      const serious: string[] = [];
      const look = async (name: string): Promise<void> => {
        serious.push(...(await seriousFaults(page)).map((fault) => `${name}: ${fault}`));
        await keepPicture(page, name);
      };
      const name = `agent${viewport.width}`;
      await page.goto(started.consoleUrl);
      await page.getByRole("heading", { name: "lockfile-audit", level: 1 }).waitFor();
      await goTo(page, "Tree");
      await page.getByRole("heading", { name: "Tree", level: 1 }).waitFor();
      await look("tree-alone");
      await page.getByRole("button", { name: "Make a token …" }).click();
      await page.getByRole("button", { name: "Make", exact: true }).click();
      const command = (await page.getByRole("dialog").locator("pre").textContent()) ?? "";
      using _agent = startAgent(name, /mnt1\.\S+/.exec(command)?.[0] ?? "", join(folder, name));
      await page.keyboard.press("Escape");
      const row = page.getByRole("table").getByRole("row").filter({ hasText: name });
      await row.getByText("managed").waitFor();
      await look("tree");

      await page.getByRole("link", { name: "For all" }).click();
      await page.getByLabel("Which nodes").fill(`place=${name}`);
      await page.getByRole("button", { name: "Who would be asked" }).click();
      await page.getByText("1 nodes would be asked").waitFor();
      await page.getByRole("button", { name: "Send to all" }).click();
      await page.getByText("1 of 1; policy all is met").waitFor();
      await look("tree-all");

      await page
        .getByRole("table")
        .getByRole("link", { name: new RegExp(name) })
        .click();
      await page.getByRole("heading", { name: `/lockfile-audit/${name}`, level: 1 }).waitFor();
      await page.getByRole("button", { name: "Maintenance …" }).click();
      await page.getByLabel("Reason").fill("new disk");
      await page.getByRole("button", { name: "Begin" }).click();
      await page.getByText("In maintenance: drained").waitFor();
      await look("tree-node");
      await page.getByRole("button", { name: "End maintenance" }).click();
      await page.getByRole("button", { name: "Maintenance …" }).waitFor();
      await page.getByRole("button", { name: "Labels …" }).click();
      await page.getByRole("dialog").getByRole("textbox").fill(`place=${name} rack=r3`);
      await page.getByRole("button", { name: "Set", exact: true }).click();
      await page.getByText(`place=${name}, rack=r3`).waitFor();

      const agentPage = page.url();
      await page.goto(agentPage.replace(`%2F${name}`, ""));
      await page.getByRole("heading", { name: "/lockfile-audit", level: 1 }).waitFor();
      await page.getByRole("button", { name: "Name a standby …" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Name", exact: true }).click();
      await page.getByText(`${name} takes its place when it is lost`, { exact: true }).waitFor();
      await look("tree-standby");
      await page.getByRole("button", { name: "Nobody" }).click();
      await page.getByText("Nobody takes its place when it is lost").waitFor();
      await page.goto(agentPage);
      await page.getByRole("button", { name: "Release …" }).click();
      await page.getByLabel(`Type ${name} to go on`).fill(name);
      await page.getByRole("button", { name: "Release", exact: true }).click();
      await page.getByRole("heading", { name: "Tree", level: 1 }).waitFor();
      await expect.poll(() => row.count()).toBe(0);
      expect(serious).toEqual([]);
      expect(faults).toEqual([]);
    },
  );

  test("is asked for a token where there is none, and let in by the right one only", async () => {
    await using context = await browser.newContext();
    const page = await context.newPage();
    const url = new URL(started.consoleUrl);
    const token = url.hash.replace("#token=", "");
    await page.goto(`${url.origin}/console/streams`);
    await page.getByLabel("Token").fill("not-the-token-of-this-node");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "bearer token" }).waitFor();
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Streams", level: 1 }).waitFor();
  });

  test("is offered what the role of the token allows, and told what more would need", async () => {
    await using context = await browser.newContext();
    const page = await context.newPage();
    const { origin, hash } = new URL(started.consoleUrl);
    const made = await fetch(`${origin}/api/v1/tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${hash.replace("#token=", "")}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "guest", role: "viewer" }),
    });
    const { token } = (await made.json()) as { token: string };
    await page.goto(`${origin}/console/processors/lockfile-inspector#token=${token}`);
    const restart = page.getByRole("button", { name: "Restart", exact: true });
    await expect.poll(() => restart.isDisabled()).toBe(true);
    expect(await restart.getAttribute("title")).toBe("This needs the role operator; your token has viewer.");
    await page.goto(`${origin}/console/access`);
    await page.getByText("You are guest, viewer.").waitFor();
    await page.getByText("this needs the role admin, and the token of guest has viewer").waitFor();
  });

  test("goes anywhere by the keyboard alone, and sees the dark theme where that is wanted", async () => {
    await using context = await browser.newContext({ colorScheme: "dark" });
    const { page, faults } = await watchedPage(context);
    await page.goto(started.consoleUrl);
    await page.getByRole("heading", { name: "lockfile-audit", level: 1 }).waitFor();
    await page.keyboard.press("Control+k");
    await page.getByLabel("Where to").waitFor();
    await page.keyboard.type("lockfile-inspector");
    await page.getByRole("button", { name: /lockfile-inspector processor/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "lockfile-inspector", level: 1 }).waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await keepPicture(page, "dark");
    expect(faults).toEqual([]);
  });
});

type Look = (name: string) => Promise<void>;

async function sendMessage(page: Page, look: Look): Promise<void> {
  await goTo(page, "Messages");
  await page
    .getByRole("table")
    .getByText(/lockfile.inspect|audit.inspected/)
    .first()
    .waitFor();
  await look("messages");
  await page.getByRole("link", { name: "Send a message" }).click();
  // The screen before has a field of the same name.
  await page.getByRole("heading", { name: "Send a message", level: 1 }).waitFor();
  await page.getByLabel("Type", { exact: true }).selectOption("lockfile.duplicates");
  const packages = [
    { name: "tea", version: "1.0.0" },
    { name: "tea", version: "2.0.0" },
  ];
  await page.getByLabel("packages").fill(JSON.stringify(packages));
  await page.getByRole("button", { name: "Send", exact: true }).click();
  const reply = page.getByRole("region", { name: "Reply" });
  await reply.getByText('"2.0.0"').waitFor();
  await look("reply");
  await reply.getByRole("link", { name: "Follow it" }).click();
  await page.getByRole("list", { name: "Steps" }).getByText("lockfile.duplicates").waitFor();
  await look("trace");
}

async function seeActor(page: Page, look: Look): Promise<void> {
  await goTo(page, "Actors");
  await page.getByRole("link", { name: "tally" }).waitFor();
  await look("actors");
  await page.getByRole("link", { name: "tally" }).click();
  await page.getByRole("heading", { name: "tally", level: 1 }).waitFor();
  await page.getByRole("heading", { name: "Inside" }).waitFor();
  await page.getByText("sleep").first().waitFor();
  await look("actor");
}

async function followUpstream(page: Page, look: Look): Promise<void> {
  await goTo(page, "Workflows");
  await page.getByRole("region", { name: "Map of metas and relations" }).getByText("B:audit/package:1").first().waitFor();
  await look("workflow-map");
  await page.getByRole("navigation", { name: "Views of the workflows" }).getByRole("link", { name: "Instances" }).click();
  const table = page.getByRole("region", { name: "Instances" }).getByRole("table");
  const approved = table.getByRole("row").filter({ hasText: "approved" }).first();
  await approved.waitFor();
  await look("instances");
  await approved.getByRole("link").first().click();
  const upstream = page.getByRole("region", { name: "Upstream" });
  await upstream.getByRole("link").first().waitFor();
  await look("instance");
  await upstream.getByRole("link").first().click();
  await page.getByText("It came in from outside.").waitFor();
  await page.getByText("found").first().waitFor();
}

interface Demo {
  readonly graph: string;
  readonly file: string;
}

async function drawGraph(page: Page, { graph, file }: Demo, look: Look): Promise<void> {
  await goTo(page, "Streams");
  await page.getByRole("link", { name: "licences" }).waitFor();
  await look("streams");
  await page.getByRole("link", { name: "Draw a graph" }).first().click();
  await page.getByRole("heading", { name: "Draw a graph", level: 1 }).waitFor();
  await page.getByLabel("Name").fill(graph);
  const expression = page.getByRole("textbox", { name: "Expression" });
  await expression.fill("numbers; (strict || ; keep");
  await page.getByRole("alert").first().waitFor();
  await page.locator(".cm-lintRange-error").first().waitFor();
  await look("draw-wrong");
  await expression.fill("numbers; (strict || all); keep");
  const strict = 'while read -r n; do if [ "$n" = 3 ]; then echo three is not for me >&2; exit 7; fi; echo "strict $n"; done';
  const stages = [
    { name: "numbers", action: "generate", with: { intervalMs: 100 } },
    { name: "strict", command: ["sh", "-c", strict], answers: "one", attempts: 1 },
    { name: "all", command: "sed -u s/^/all-/", answers: "one" },
    { name: "keep", action: "file.write", with: { path: file } },
  ];
  await page.getByRole("textbox", { name: "Stages" }).fill(JSON.stringify(stages));
  const drawing = page.getByRole("region", { name: "The graph" });
  await drawing.getByText("strict").first().waitFor();
  await page.getByRole("alert").waitFor({ state: "detached" });
  await look("draw");
  await page.getByRole("button", { name: "Apply and run" }).click();
  await page.getByRole("heading", { name: graph, level: 1 }).waitFor();
  await page.getByText("running", { exact: true }).first().waitFor();
  await page.getByLabel("Tap an edge").selectOption("all..keep");
  await page.getByRole("log", { name: "Records on all..keep" }).getByText("all-").first().waitFor();
  await page.getByLabel("Stage", { exact: true }).selectOption("strict");
  await page.getByRole("log", { name: "Logs of strict" }).getByText("three is not for me").first().waitFor();
  await look("stream");
}

async function replayDeadLetter(page: Page, { graph, file }: Demo, look: Look): Promise<void> {
  await goTo(page, "Dead letters");
  const row = page
    .getByRole("row")
    .filter({ hasText: `graph.${graph}.failed` })
    .first();
  await row.waitFor();
  await row.getByRole("link").click();
  const letter = page.getByRole("region", { name: /^Dead letter / });
  await letter.getByText("gave up after 1 attempts").waitFor();
  await look("dead-letter");
  await letter.getByLabel("Payload").fill("3333");
  await letter.getByRole("button", { name: "Save the payload" }).click();
  await page.getByText("The payload was changed").waitFor();
  await letter.getByRole("button", { name: "Replay" }).click();
  await page.getByText("It is handled again").waitFor();
  await expect.poll(() => readFileSync(file, "utf8").includes("strict 3333"), { timeout: 15_000 }).toBe(true);
  await goTo(page, "Streams");
  await page.getByRole("link", { name: graph }).click();
  await page.getByRole("button", { name: "Drain and stop" }).click();
  await page.getByText("was drained and stopped").waitFor();
}

/** What the scripts of the page took over the wire. */
function scriptBytes(page: Page): Promise<number> {
  return page.evaluate(() =>
    (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
      .filter(({ name }) => name.endsWith(".js"))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  );
}
