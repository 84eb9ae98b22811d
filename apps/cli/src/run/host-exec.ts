import { coreError } from "@metanode/core/errors";
import { readAll } from "../api/client.ts";
import { streamNode } from "../api/tree.ts";
import { Exit } from "../exit.ts";
import type { Invocation } from "../invocation.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
/** What a shell reports for a program that ran out of time (`timeout`), and what it adds to the number of a signal. */
const OUT_OF_TIME = 124;
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

interface ProgramExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
}

type Item =
  | { readonly stream: "stdout" | "stderr"; readonly data: string; readonly encoding: "utf8" | "base64" }
  | { readonly exit: ProgramExit };

/** `metanode host exec` */
export async function exec(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const [cwd, env] = [invocation.text("cwd"), invocation.pairs("env")];
  const timeoutMs = invocation.number("timeout") ?? DEFAULT_TIMEOUT_MS;
  const stdin = invocation.has("stdin") ? (await readAll(process.stdin)).toString("base64") : undefined;
  const data = {
    argv: invocation.words(1),
    timeoutMs,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(stdin === undefined ? {} : { stdin, stdinEncoding: "base64" }),
  };
  let exit: ProgramExit | undefined;
  for await (const item of streamNode<Item>(client, { node: invocation.arg(0), type: "metanode.host.exec", data })) {
    if ("exit" in item) exit = item.exit;
    if (output.format !== "table") await output.item(item);
    else if ("stream" in item)
      (item.stream === "stdout" ? process.stdout : process.stderr).write(Buffer.from(item.data, item.encoding));
  }
  if (exit === undefined) throw coreError("node.unreachable", "the node never said how the program ended");
  const status = statusOf(exit);
  if (status !== 0) throw new Exit(status);
}

function statusOf({ code, signal, timedOut }: ProgramExit): number {
  if (timedOut) return OUT_OF_TIME;
  return code ?? 128 + (SIGNALS[signal ?? ""] ?? 0);
}
