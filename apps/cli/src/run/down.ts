import { coreError } from "@metanode/core/errors";
import { isHeld, runningNodeOf } from "../data-folder.ts";
import { formatDuration } from "../duration.ts";
import type { Invocation } from "../invocation.ts";
import { pause, uptimeMs } from "../time.ts";

/** Longer than a node takes to finish what it has. */
const TIMEOUT_MS = 30_000;
const LOOK_MS = 50;

/** `metanode down` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const settings = await invocation.settings();
  const folder = settings.data.value ?? ".metanode";
  const timeoutMs = invocation.number("timeout") ?? TIMEOUT_MS;
  if (!(await isHeld(folder))) {
    throw coreError("resource.not_found", `no node runs on the data folder ${folder}`, { details: { data: folder } });
  }
  const pid = await stop(folder, timeoutMs);
  await output.show({ data: folder, ...(pid === undefined ? {} : { pid }) }, () => `the node of ${folder} has stopped`);
}

/**
 * Tells the node to stop, once, and waits until its folder is free: by then all is on disk. That its process is gone says less, as one whose
 * parent does not look after it stays in the list.
 */
async function stop(folder: string, timeoutMs: number): Promise<number | undefined> {
  const deadlineMs = uptimeMs() + timeoutMs;
  let told: number | undefined;
  // A node that is starting says only later which process it is; one that is stopping does not say so any more.
  while (await isHeld(folder)) {
    const { pid } = runningNodeOf(folder);
    if (told === undefined && pid !== undefined && tell(pid)) told = pid;
    if (uptimeMs() > deadlineMs) throw late(folder, told, timeoutMs);
    await pause(LOOK_MS);
  }
  return told;
}

/** Whether there was somebody to tell. @throws {MetanodeError} auth.denied */
function tell(pid: number): boolean {
  try {
    return process.kill(pid, "SIGTERM");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ESRCH") return false; // left by a node that ended without a word
    throw coreError("auth.denied", `process ${pid} is the node, and belongs to another user: stop it as that one`, {
      details: { pid },
      cause,
    });
  }
}

function late(folder: string, pid: number | undefined, timeoutMs: number): Error {
  const what =
    pid === undefined
      ? "it has not said which process it is"
      : `process ${pid} was told to stop and is not done; kill ${pid} ends it at once`;
  return coreError("call.deadline", `the node of ${folder} still runs after ${formatDuration(timeoutMs)}: ${what}`, {
    details: { data: folder, ...(pid === undefined ? {} : { pid }) },
  });
}
