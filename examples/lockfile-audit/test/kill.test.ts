import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { openGateway } from "@metanode/gateway";
import { describe, expect, test } from "vitest";
import { audit } from "../src/audit.ts";
import { parseLockfile } from "../src/lockfile.ts";
import { countsOf } from "../src/report.ts";
import { temporaryFolder } from "./command.ts";

const PACKAGES = 3_000;
const MAX_IN_FLIGHT = 100;

/** Every third package runs an install script, every fifth has no licence, every tenth name has two versions. */
function largeLockfile(): string {
  const packages: Record<string, object> = { "": {} };
  for (let index = 0; index < PACKAGES; index++) {
    const name = index % 10 === 9 ? `tea-${index - 1}` : `tea-${index}`;
    packages[index % 10 === 9 ? `node_modules/nested/node_modules/${name}` : `node_modules/${name}`] = {
      version: `1.0.${index}`,
      integrity: `sha512-${createHash("sha512").update(name).digest("base64")}`,
      ...(index % 5 === 0 ? {} : { license: "MIT" }),
      ...(index % 3 === 0 ? { hasInstallScript: true } : {}),
    };
  }
  return JSON.stringify({ lockfileVersion: 3, packages });
}

describe("an audit whose process is killed in the middle", () => {
  test("still has complete findings, with the messages of that process sent again", async () => {
    const lockfile = parseLockfile(largeLockfile(), "large");
    await using gateway = await openGateway({
      name: "kill",
      data: temporaryFolder(),
      listen: { port: 0 },
      log: { level: "fatal" },
      processors: [
        { name: "lockfile-inspector", file: fileURLToPath(new URL("../src/processor.ts", import.meta.url)), processes: 2 },
      ],
    });
    const victim = gateway.processors.host.list()[0]?.processes[0]?.pid ?? Number.NaN;
    const result = await audit(gateway.node, lockfile, {
      onProgress: (done) => {
        // Stopped first, so that it surely has messages in hand when it dies.
        if (done === 500) process.kill(victim, "SIGSTOP");
        if (done === 1_500) process.kill(victim, "SIGKILL");
      },
    });
    expect(result.resent).toBeGreaterThan(0);
    expect(result.inspections.map(({ path }) => path)).toEqual(lockfile.packages.map(({ path }) => path));
    expect(countsOf(result)).toEqual({
      packages: PACKAGES,
      links: 0,
      localFolders: 1,
      errors: 0,
      licenses: { missing: PACKAGES / 5, permissive: PACKAGES - PACKAGES / 5 },
      installScripts: PACKAGES / 3,
      integrity: { sha512: PACKAGES },
      enginesExcluded: 0,
      duplicatedNames: PACKAGES / 10,
    });
  });
});

describe("an audit on a node without inspectors", () => {
  test("ends with message.unknown_type instead of a finding for each package", async () => {
    await using gateway = await openGateway({ data: temporaryFolder(), listen: { port: 0 }, log: { level: "fatal" } });
    const auditing = audit(gateway.node, parseLockfile(largeLockfile(), "large"));
    await expect(auditing).rejects.toMatchObject({ code: "message.unknown_type" });
  });
});

describe("an audit that is withdrawn", () => {
  test("ends with call.cancelled and takes no further package", async () => {
    await using gateway = await openGateway({
      data: temporaryFolder(),
      listen: { port: 0 },
      log: { level: "fatal" },
      processors: [{ name: "lockfile-inspector", file: fileURLToPath(new URL("../src/processor.ts", import.meta.url)) }],
    });
    const stopping = new AbortController();
    let lastDone = 0;
    const auditing = audit(gateway.node, parseLockfile(largeLockfile(), "large"), {
      signal: stopping.signal,
      maxInFlight: MAX_IN_FLIGHT,
      onProgress: (done) => {
        lastDone = done;
        if (done === 300) stopping.abort();
      },
    });
    await expect(auditing).rejects.toMatchObject({ code: "call.cancelled" });
    // What was under way may still be answered; nothing is sent after it.
    expect(lastDone).toBeLessThan(300 + MAX_IN_FLIGHT);
  });
});
