import { type CoreErrorCode, codeOf, coreError } from "../errors.ts";

/** What the operating system says, in our words. */
const MEANINGS: Readonly<Record<string, readonly [CoreErrorCode, string]>> = {
  ENOENT: ["resource.not_found", "there is no such file or folder; check the path"],
  ENOTDIR: ["resource.not_found", "a part of the path is no folder; check the path"],
  EACCES: [
    "auth.denied",
    "the operating system does not let the node's user do this; change the rights, or the user of the node",
  ],
  EPERM: ["auth.denied", "the operating system does not let the node's user do this; change the rights, or the user of the node"],
  EROFS: ["auth.denied", "the file system is read-only; choose another place"],
  ELOOP: ["auth.denied", "a symbolic link was found where a file or folder was expected; name the file that it leads to"],
  EISDIR: ["call.unsupported", "this is a folder, and a file was expected"],
  ENXIO: ["call.unsupported", "this is no regular file"],
  ENOSPC: ["call.resource_exhausted", "the disk is full; make room and try again"],
  EDQUOT: ["call.resource_exhausted", "the quota of the node's user is used up; make room and try again"],
  EMFILE: ["call.resource_exhausted", "the node has too many open files; try again later"],
  EAGAIN: ["call.resource_exhausted", "the host has no room for another process; try again later"],
  ENOMEM: ["call.resource_exhausted", "the host has no memory for this; try again later"],
};

/** An error of the operating system as one of ours; any other as it is. */
export function hostError(error: unknown): unknown {
  if (!(error instanceof Error) || codeOf(error) !== undefined) return error;
  const { code = "", path } = error as NodeJS.ErrnoException;
  const meaning = MEANINGS[code];
  if (meaning === undefined) return error;
  // A path through an open folder says nothing to anybody.
  const place = path === undefined || path.startsWith("/proc/self/fd/") ? "" : `${path}: `;
  return coreError(meaning[0], `${place}${meaning[1]} (${code})`, { details: { errno: code }, cause: error });
}
