import { createServer } from "node:net";
import { createKernel, type PID } from "@metanode/actors";
import { describe, expect, test } from "vitest";
import { Chat } from "../src/main.ts";

/** A port that nobody listens on: the doors are to open on the same ones again. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function enter(port: number): Promise<{ heard: string[]; closed: Promise<void> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  const heard: string[] = [];
  const closed = new Promise<void>((resolve) => socket.addEventListener("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("error", () => reject(new Error("nobody lets in")));
    socket.addEventListener("message", ({ data }) => {
      heard.push(data);
      resolve();
    });
  });
  return { heard, closed };
}

/** Tries to come in until somebody lets in. */
async function enterAgain(port: number): Promise<{ heard: string[]; closed: Promise<void> }> {
  for (const lastMs = performance.now() + 20_000; ; ) {
    try {
      return await enter(port);
    } catch (error) {
      if (performance.now() > lastMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** A chat, and a way to kill one of its processes. */
async function openChat() {
  const kernel = createKernel();
  const port = await freePort();
  await kernel.spawn(Chat, { args: [await freePort(), port] });
  const kill = (name: string): void => kernel.kill(kernel.whereIs(name) as PID);
  return { port, kill, [Symbol.asyncDispose]: () => kernel.stop() };
}

describe("the supervisor of the chat", () => {
  test("begins anew with the room and the doors when the room is killed", async () => {
    await using chat = await openChat();
    const guests = [await enter(chat.port), await enter(chat.port)];
    chat.kill("room");
    await Promise.all(guests.map(({ closed }) => closed));
    const back = await enterAgain(chat.port);
    expect(back.heard).toEqual(["guest 1 has come in"]);
  });

  test("opens the doors again when they are killed, and the room lives on", async () => {
    await using chat = await openChat();
    const guest = await enter(chat.port);
    chat.kill("doors");
    await guest.closed;
    const back = await enterAgain(chat.port);
    expect(back.heard).toEqual(["guest 2 has come in"]);
  });
});
