import { existsSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isHeld } from "../data-folder.ts";
import { formatBytes } from "../duration.ts";
import { type Finding, fail, info, ok, warn } from "./finding.ts";

/** A unix socket's path may have 107 bytes on Linux, 103 on macOS; a longer one is made in the folder for temporary files. */
const MAX_SOCKET_PATH_BYTES = 103;
/** Below this the log will soon refuse messages. */
const LITTLE_BYTES = 1024 ** 3;
const TOO_LITTLE_BYTES = 100 * 1024 ** 2;

/** Whether a node can write its data folder, or make it. */
export function checkFolder(folder: string): Finding {
  const path = resolve(folder);
  const place = nearestThere(path);
  const doing = place === path ? "write to" : "make";
  const advice = `let this user ${doing} it, or choose another folder with --data`;
  try {
    if (!statSync(place).isDirectory())
      return fail("data folder", `${place} is a file, expected a folder`, "move the file, or choose another folder with --data");
    // What the permissions say is not the whole: a read-only or full disk shows only when one writes.
    const probe = join(place, `.metanode-doctor-${process.pid}`);
    writeFileSync(probe, "", { flag: "wx", mode: 0o600 });
    rmSync(probe);
  } catch (error) {
    return fail("data folder", `${path}: ${(error as Error).message}`, advice);
  }
  return place === path ? ok("data folder", path) : info("data folder", `${path} does not exist yet; the first start makes it`);
}

/** Whether some process holds the data folder. */
export async function checkLock(folder: string, isAnswered: boolean): Promise<Finding> {
  if (!existsSync(join(folder, "lock"))) return ok("lock", "free: no node has used the folder yet");
  try {
    if (await isHeld(folder)) {
      if (isAnswered) return ok("lock", "held by the node that answers");
      return warn(
        "lock",
        "held by a process, but no node answers",
        "wait if it is just starting or stopping; else find the process that has the file open and end it",
      );
    }
  } catch (error) {
    return fail("lock", (error as Error).message, "delete the file lock in the data folder; it holds no data");
  }
  if (isAnswered) return info("lock", "free: the node that answers has its data elsewhere");
  return ok("lock", "free");
}

/** The token must be there and be nobody else's to read. */
export function checkToken(folder: string): Finding {
  const file = join(folder, "token");
  let mode: number;
  try {
    mode = statSync(file).mode & 0o777;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ENOTDIR") {
      return info("token", "none yet; the first start makes it");
    }
    return fail("token", `${file}: ${(error as Error).message}`, "let this user read it, or pass --token");
  }
  if ((mode & 0o077) !== 0 && process.platform !== "win32") {
    return fail(
      "token",
      `${file} has mode 0${mode.toString(8)}, so others may read it`,
      `chmod 600 ${file}, then delete it and restart the node if others may have read it`,
    );
  }
  try {
    if (readFileSync(file, "utf8").trim() === "")
      return fail("token", `${file} is empty`, "delete it and restart the node, which makes a new one");
  } catch (error) {
    return fail("token", `${file}: ${(error as Error).message}`, "let this user read it, or pass --token");
  }
  return ok("token", `${file}, mode 0${mode.toString(8)}`);
}

/** Where processors dial in. */
export function checkSocketPath(folder: string): Finding {
  const path = join(resolve(folder), "run", "processors.sock");
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return ok("socket path", `${bytes} of at most ${MAX_SOCKET_PATH_BYTES} bytes`);
  return info(
    "socket path",
    `${bytes} bytes, more than a socket's path may have (${MAX_SOCKET_PATH_BYTES}); the node uses the folder for temporary files`,
  );
}

/** Room for the log. */
export function checkDisk(folder: string): Finding {
  const place = nearestThere(resolve(folder));
  try {
    const { bavail, bsize } = statfsSync(place);
    const freeBytes = bavail * bsize;
    const found = `${formatBytes(freeBytes)} free`;
    const advice = `free some on the disk of ${place}, or move the data folder`;
    if (freeBytes < TOO_LITTLE_BYTES) return fail("disk", found, advice);
    return freeBytes < LITTLE_BYTES ? warn("disk", found, advice) : ok("disk", found);
  } catch (error) {
    return warn("disk", `unknown: ${(error as Error).message}`, "look at the disk of the data folder yourself");
  }
}

/** The path, or the nearest folder above it that exists. */
function nearestThere(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestThere(dirname(path));
}
