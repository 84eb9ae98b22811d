import { spawn } from "node:child_process";
import type { WhoView } from "../api/access.ts";
import { paths } from "../api/paths.ts";
import type { Invocation } from "../invocation.ts";

/** What opens an address in the browser, by the name of the system. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  linux: ["xdg-open"],
  freebsd: ["xdg-open"],
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

/** `metanode console` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  // An address that leads nowhere, or a token that is refused, is better said here than by the browser.
  const { name, role } = await client.json<WhoView>({ path: paths.whoami });
  const url = new URL(client.connection.url);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/console/`;
  const { token } = client.connection;
  if (token !== undefined) url.hash = `token=${encodeURIComponent(token)}`;
  await output.show({ url: url.href, name, role }, () => url.href);
  if (output.format === "table") output.talk(`signs in as ${name}, ${role}: whoever has this address has the token`);
  if (!invocation.has("open")) return;
  if (!output.isTerminal) output.talk("there is no terminal, so no browser is opened");
  else if (!(await open(url.href))) output.talk("no browser could be opened; open the address yourself");
}

/** Whether the system's opener could be started. */
function open(url: string): Promise<boolean> {
  const [program, ...args] = OPENERS[process.platform] ?? [];
  if (program === undefined) return Promise.resolve(false);
  const child = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}
