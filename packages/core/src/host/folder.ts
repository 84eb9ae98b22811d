import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { coreError } from "../errors.ts";

/** A folder that was judged by its real path and is held: whatever becomes of that path meanwhile, this is the folder. */
export interface OpenFolder extends AsyncDisposable {
  /** The path by which a file in it is reached. */
  at(name: string): string;
  /** Puts what was renamed in it on the disk. */
  sync(): Promise<void>;
}

/**
 * Opens a folder by its real path. Where somebody has put a link in the way since it was judged, it is refused; on Linux
 * that holds for as long as it is open, elsewhere at the moment of opening.
 * @throws {MetanodeError} auth.denied – the path leads somewhere else now
 */
export async function openFolder(real: string): Promise<OpenFolder> {
  const handle = await open(real, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const byHandle = `/proc/self/fd/${handle.fd}`;
    const found = await readlink(byHandle).catch(() => undefined);
    if ((found ?? (await realpath(real))) !== real) {
      throw coreError("auth.denied", `${real} leads somewhere else now; name the place that is meant`);
    }
    return held(handle, found === undefined ? real : byHandle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function held(handle: FileHandle, path: string): OpenFolder {
  return {
    at: (name) => `${path}/${name}`,
    sync: () => handle.sync(),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Opens a regular file, and nothing that would make a reader wait. @throws {MetanodeError} call.unsupported – something else stands there */
export async function openRegular(path: string, flags: number): Promise<FileHandle> {
  const handle = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw coreError("call.unsupported", "this is no regular file; only regular files are moved and read");
}
