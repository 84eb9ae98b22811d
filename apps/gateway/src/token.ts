import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { coreError, type MetaNode } from "@metanode/core";

/** The file of the token, in the data folder. */
export const TOKEN_FILE = "token";
/** Nobody guesses 256 random bits. */
const TOKEN_BYTES = 32;
/** Readable and writable by the owner alone. */
const PRIVATE_MODE = 0o600;

/**
 * The token that is kept in the data folder; made at the first start. A file that others may read is made private
 * again, and the log says so: whoever has read it meanwhile has the token.
 * @throws {MetanodeError} config.invalid – the file is unreadable, or holds no token.
 */
export function keepToken(folder: string, logger: MetaNode["logger"]): string {
  const file = join(folder, TOKEN_FILE);
  try {
    const made = randomBytes(TOKEN_BYTES).toString("base64url");
    writeFileSync(file, `${made}\n`, { mode: PRIVATE_MODE, flag: "wx" });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unusable(file, (error as Error).message, error);
  }
  try {
    // Windows keeps no such modes.
    if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0) {
      chmodSync(file, PRIVATE_MODE);
      logger.warn(
        { file },
        "others could read the token file; it is private again. Delete it and restart the node for a new token",
      );
    }
    const token = readFileSync(file, "utf8").trim();
    if (/^[\u0021-\u007e]{16,}$/.test(token)) return token;
  } catch (error) {
    throw unusable(file, (error as Error).message, error);
  }
  throw unusable(file, "it holds no token");
}

function unusable(file: string, why: string, cause?: unknown): Error {
  return coreError(
    "config.invalid",
    `the token file ${file} cannot be used: ${why}; delete it, and the next start makes a new one`,
    {
      details: { path: "token", file },
      cause,
    },
  );
}
