/**
 * Makes the types of `packages/client` from the OpenAPI document of a gateway that is started for it, on a free port of
 * this machine and without a data folder that stays. Writes only what has changed.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { openGateway } from "../apps/gateway/src/index.ts";

const client = path.join(import.meta.dirname, "..", "packages", "client");
const GENERATOR = "openapi-typescript";
const file = path.join(client, "src", "generated", "api.ts");

/** What is used of openapi-typescript. It stands in the client's own node_modules, with the older compiler that it needs. */
interface Generator {
  readonly default: (document: unknown) => Promise<unknown[]>;
  readonly astToString: (nodes: unknown[]) => string;
}

async function readDocument(): Promise<unknown> {
  const data = mkdtempSync(path.join(tmpdir(), "metanode-client-"));
  try {
    await using gateway = await openGateway({ data, listen: { port: 0 }, log: { level: "error" } });
    const headers = { authorization: `Bearer ${gateway.token}` };
    return await (await fetch(`${gateway.url}/api/v1/openapi.json`, { headers })).json();
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

const require = createRequire(path.join(client, "package.json"));
const { default: typesOf, astToString } = require(GENERATOR) as Generator;
const text = `/** Made by scripts/generate-client.ts from the gateway's OpenAPI document. */\n${astToString(await typesOf(await readDocument()))}`;
if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
