import { parentPort, workerData } from "node:worker_threads";
import { Many } from "../stage/answer.ts";
import type { ThreadAnswer, ThreadData, ThreadRequest } from "./protocol.ts";

/** Runs in the thread: loads the function, and answers records with it, one after the other. */
const { file, exportName } = workerData as ThreadData;
const exported = (await import(file)) as Record<string, unknown>;
const call = exported[exportName];
if (typeof call !== "function") throw new TypeError(`${file} exports no function ${exportName}`);

parentPort?.on("message", async ({ numbers, records }: ThreadRequest) => {
  const answers: ThreadAnswer[] = [];
  for (const [index, record] of records.entries()) {
    const number = numbers[index] as number;
    try {
      const answer: unknown = await call(record);
      // A list stays a record: `many` of the package says that several are meant, also from another copy of it.
      const isMany = answer instanceof Many || (answer as object | undefined)?.constructor?.name === "Many";
      const outputs = isMany ? (answer as Many<unknown>).records : answer === undefined ? [] : [answer];
      answers.push({ number, outputs });
    } catch (error) {
      const { message = String(error), code } = (error ?? {}) as { message?: string; code?: string };
      answers.push({ number, error: { message, ...(code === undefined ? {} : { code }) } });
    }
  }
  parentPort?.postMessage(answers);
});
parentPort?.postMessage([{ number: -1 }]); // loaded
