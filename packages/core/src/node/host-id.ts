import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import os from "node:os";

const MACHINE_ID = "/etc/machine-id";

let knownHostId: string | undefined;

/**
 * The stable id of this host (M-66): nodes on one host have the same. A hash, as systemd asks for, because the machine id
 * itself is to be kept secret; without one, of the host's name and its first network address.
 * @source https://www.freedesktop.org/software/systemd/man/machine-id.html
 */
export function hostId(): string {
  knownHostId ??= createHash("sha256").update(`metanode.host\n${identity()}`).digest("hex").slice(0, 32);
  return knownHostId;
}

function identity(): string {
  try {
    const found = readFileSync(MACHINE_ID, "utf8").trim();
    if (/^[0-9a-f]{32}$/.test(found)) return found;
  } catch {
    // Not a Linux, or a container without one.
  }
  const macs = Object.entries(os.networkInterfaces())
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ internal, mac }) => !internal && mac !== "00:00:00:00:00:00");
  return `${os.hostname()}\n${macs[0]?.mac ?? ""}`;
}
