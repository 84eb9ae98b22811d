import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findProgram, openPage } from "./browser.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const nc = findProgram("nc", "ncat");
const chromium = findProgram("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");

/** The last moment for anything that a test waits for. */
const LIMIT_MS = 20_000;

async function until<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  const endMs = performance.now() + LIMIT_MS;
  while (true) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > endMs) throw new Error(`within ${LIMIT_MS} ms it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Chat extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly tcpPort: number;
  readonly url: string;
}

/** The example as its user starts it, on ports that are free. */
async function startChat(): Promise<Chat> {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, TCP_PORT: "0", WEB_PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), "line"), ended])) as [string];
  const [, port, url] = /^nc 127\.0\.0\.1 (\d+), or (http:\/\/127\.0\.0\.1:\d+)$/.exec(String(line)) ?? [];
  if (url === undefined) throw new Error(`the example said ${line}`);
  return {
    process: child,
    tcpPort: Number(port),
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Somebody in the room. */
interface Guest {
  readonly heard: string[];
  say(text: string): void;
  leave(): void;
}

async function byWebSocket(url: string): Promise<Guest & { readonly closed: Promise<number> }> {
  const socket = new WebSocket(url.replace("http", "ws"));
  const heard: string[] = [];
  socket.onmessage = ({ data }) => heard.push(data as string);
  const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  await until("to be in the room", () => heard.length > 0);
  return { heard, say: (text) => socket.send(text), leave: () => socket.close(), closed };
}

async function byTcp(port: number): Promise<Guest & { readonly closed: Promise<void> }> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined); // `close` follows
  const heard: string[] = [];
  createInterface({ input: socket })
    .on("line", (line) => heard.push(line))
    .on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await until("to be in the room", () => heard.length > 0);
  return { heard, say: (text) => socket.write(text), leave: () => socket.end(), closed };
}

describe("the chat", () => {
  test.skipIf(nc === undefined)(
    nc === undefined
      ? "with nc (skipped: netcat is not on the PATH)"
      : "with nc: lines go to everybody, whichever way they came in",
    async () => {
      await using chat = await startChat();
      const netcat = spawn(nc as string, ["127.0.0.1", String(chat.tcpPort)], { stdio: ["pipe", "pipe", "inherit"] });
      const heard: string[] = [];
      createInterface({ input: netcat.stdout }).on("line", (line) => heard.push(line));
      await until("nc to be in the room", () => heard.length === 1);
      const guest = await byWebSocket(chat.url);
      netcat.stdin.write("good day\nall of you\n");
      await until("both lines", () => guest.heard.length === 3);
      guest.say("hello nc");
      await until("the answer", () => heard.length === 5);
      const said = ["guest 1: good day", "guest 1: all of you", "guest 2: hello nc"];
      expect(heard).toEqual(["guest 1 has come in", "guest 2 has come in", ...said]);
      netcat.kill();
      await until("it to be told", () => guest.heard.at(-1) === "guest 1 has left");
      expect(guest.heard).toEqual(["guest 2 has come in", ...said, "guest 1 has left"]);
    },
  );

  test.skipIf(chromium === undefined)(
    chromium === undefined
      ? "with a browser (skipped: there is no chromium on the PATH)"
      : "with a browser: the page shows what is said and says what is typed",
    async () => {
      await using chat = await startChat();
      const guest = await byTcp(chat.tcpPort);
      await using page = await openPage(chromium as string, chat.url);
      const shown = async (): Promise<unknown> =>
        page.evaluate('[...document.querySelectorAll("li")].map((item) => item.textContent)');
      await until("the browser to be in the room", () => guest.heard.includes("guest 2 has come in"));
      guest.say("hello <b>browser</b>\n");
      await until("it to be shown", async () => ((await shown()) as string[]).length === 2);
      await page.evaluate('document.querySelector("input").value = "hello nc"; document.querySelector("button").click()');
      await until("the answer", () => guest.heard.length === 4);
      expect(guest.heard.slice(2)).toEqual(["guest 1: hello <b>browser</b>", "guest 2: hello nc"]);
      await until("the browser's own to be shown", async () => ((await shown()) as string[]).length === 3);
      expect(await shown()).toEqual(["guest 2 has come in", "guest 1: hello <b>browser</b>", "guest 2: hello nc"]);
      guest.leave();
      await until("it to be shown", async () => ((await shown()) as string[]).at(-1) === "guest 1 has left");
    },
  );

  test("cuts lines out of TCP wherever a read ends, in any letters", async () => {
    await using chat = await startChat();
    const listener = await byWebSocket(chat.url);
    const guest = await byTcp(chat.tcpPort);
    for (const part of ["one", " li", "ne\r\ntwo\nthree"]) {
      guest.say(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    guest.say(" größer\n");
    await until("three lines", () => listener.heard.length === 5);
    expect(listener.heard.slice(2)).toEqual(["guest 2: one line", "guest 2: two", "guest 2: three größer"]);
  });

  test("closes on whoever sends a line without an end, or a WebSocket message that is too long; others stay", async () => {
    await using chat = await startChat();
    const listener = await byWebSocket(chat.url);
    const flood = await byTcp(chat.tcpPort);
    flood.say("x".repeat(100_000));
    await flood.closed;
    const long = await byWebSocket(chat.url);
    long.say("x".repeat(1_001));
    expect(await long.closed).toBe(1_009);
    await until("it to be told", () => listener.heard.at(-1) === "guest 3 has left");
    listener.say("still here");
    await until("it to be heard", () => listener.heard.at(-1) === "guest 1: still here");
  });

  test("ends at Ctrl-C, and tells WebSockets with 1001", async () => {
    await using chat = await startChat();
    const guest = await byWebSocket(chat.url);
    const ended = once(chat.process, "exit");
    chat.process.kill("SIGINT");
    expect(await guest.closed).toBe(1_001);
    expect(await ended).toEqual([0, null]);
  });
});
