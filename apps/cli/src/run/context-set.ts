import { resolve } from "node:path";
import { coreError } from "@metanode/core/errors";
import { readContexts, writeContexts } from "../contexts.ts";
import { readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** `metanode context set` */
export async function run(invocation: Invocation): Promise<void> {
  const name = invocation.arg(0);
  if (!NAME.test(name)) {
    throw coreError(
      "usage.invalid",
      `context name ${JSON.stringify(name)} may hold letters, digits, dots, - and _ only, at most 63`,
    );
  }
  const { url, data } = invocation.flags;
  const token = invocation.flags.token === "-" ? (await readInput("-")).toString("utf8").trim() : invocation.flags.token;
  if (url === undefined && data === undefined && token === undefined) {
    throw coreError("usage.invalid", `context ${name} needs at least one of --url, --token and --data`);
  }
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw coreError("usage.invalid", `${JSON.stringify(url)} is no URL of a node, expected for example http://127.0.0.1:7400`);
  }
  const contexts = await readContexts();
  const changed = {
    ...contexts.contexts[name],
    ...(url === undefined ? {} : { url }),
    ...(token === undefined ? {} : { token }),
    // Kept whole: the context means the same folder from wherever it is used.
    ...(data === undefined ? {} : { data: resolve(data) }),
  };
  const isFirst = Object.keys(contexts.contexts).length === 0;
  await writeContexts({
    ...(isFirst ? { current: name } : contexts.current === undefined ? {} : { current: contexts.current }),
    contexts: { ...contexts.contexts, [name]: changed },
  });
  invocation.output.talk(isFirst ? `context ${name} is set, and is the current one` : `context ${name} is set`);
}
