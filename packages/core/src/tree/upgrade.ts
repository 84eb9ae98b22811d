import { existsSync } from "node:fs";
import { coreError } from "../errors.ts";

/** What a node is told that is to upgrade itself. */
export interface UpgradeRequest {
  /** To what, in the words of whoever wrote the hook. */
  readonly version?: string | undefined;
  /** Who asks. */
  readonly by?: string | undefined;
}

/**
 * How a bare host upgrades the software of its node; what it returns is the answer. A hook that restarts the node does so after it
 * has returned, or the answer is lost with the process.
 */
export type UpgradeHook = (request: UpgradeRequest) => unknown;

/** Files that container engines put into every container. */
const MARKS = ["/.dockerenv", "/run/.containerenv"];

/** What shows that this process runs in a container; `undefined` on a bare host. */
export function containerMark({
  exists = existsSync,
  env = process.env,
}: {
  exists?: (path: string) => boolean;
  env?: Readonly<Record<string, string | undefined>>;
} = {}): string | undefined {
  return env.KUBERNETES_SERVICE_HOST === undefined ? MARKS.find((path) => exists(path)) : "KUBERNETES_SERVICE_HOST";
}

/**
 * Upgrades this node where that is its own affair.
 * @throws {MetanodeError} call.unsupported – in a container, whose software is its image, or nobody has said how it is done here
 */
export async function upgrade(
  request: UpgradeRequest,
  { hook, isContainer = containerMark() !== undefined }: { hook?: UpgradeHook | undefined; isContainer?: boolean | undefined },
): Promise<unknown> {
  if (isContainer) {
    throw coreError(
      "call.unsupported",
      "the node runs in a container and cannot upgrade itself: put it into maintenance and roll out a new image",
    );
  }
  if (hook === undefined) {
    throw coreError("call.unsupported", "nobody has said how this node is upgraded: give the tree a hook, hooks.upgrade");
  }
  return hook(request);
}
