import { rmSync } from "node:fs";
import { type Contender, type Running, type Sampler, Unavailable } from "../contender.ts";
import { startFlows } from "../flow-process.ts";
import { startBenchPostgres } from "../postgres.ts";
import { diskFolder } from "../processes.ts";
import { storeMillion } from "./flows-million.ts";

/** Ours on SQLite, on SQLite with a million instances, and on PostgreSQL where that runs: a process each. */
export const ourFlows: Contender = {
  name: "ours",
  open: async () => {
    const opened: Part[] = [];
    const close = async (): Promise<void> => {
      for (const part of opened) await part.close();
    };
    try {
      opened.push(await openSqlite());
      opened.push(await openStepwise());
      opened.push(await openMillion());
      const postgres = await openPostgres().catch(sayUnavailable);
      if ("close" in postgres) opened.push(postgres);
      const samplers = Object.assign({}, ...opened.map((part) => part.samplers)) as Running["samplers"];
      return { samplers, ...("note" in postgres ? { note: postgres.note } : {}), close };
    } catch (error) {
      await close();
      throw error;
    }
  },
};

interface Part {
  readonly samplers: Readonly<Record<string, Sampler>>;
  close(): Promise<void>;
}

async function openSqlite(): Promise<Part> {
  const folder = diskFolder("nature-");
  const { sampler, stop } = await startFlows("ours-sqlite", folder);
  return {
    samplers: {
      "flow3.sqlite": sampler("flow3"),
      "stored.sqlite": sampler("stored"),
      "relay10.sqlite": sampler("relay10"),
    },
    close: () => stop().then(() => remove(folder)),
  };
}

async function openStepwise(): Promise<Part> {
  const folder = diskFolder("nature-stepwise-");
  const { sampler, stop } = await startFlows("ours-stepwise", folder);
  return { samplers: { "flow3.stepwise": sampler("flow3") }, close: () => stop().then(() => remove(folder)) };
}

async function openMillion(): Promise<Part> {
  const folder = diskFolder("nature-million-");
  await storeMillion(folder);
  const { sampler, stop } = await startFlows("ours-sqlite", folder);
  return { samplers: { "flow3.million": sampler("flow3") }, close: () => stop().then(() => remove(folder)) };
}

async function openPostgres(): Promise<Part> {
  const server = await startBenchPostgres();
  const { sampler, stop } = await startFlows("ours-postgres", server.url);
  return {
    samplers: { "flow3.postgres": sampler("flow3"), "stored.postgres": sampler("stored") },
    close: () => stop().then(() => server.stop()),
  };
}

function sayUnavailable(error: unknown): { note: string } {
  if (error instanceof Unavailable) return { note: error.message };
  throw error;
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
