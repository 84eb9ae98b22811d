import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { programAction } from "../action/program-action.ts";
import type { GraphNode } from "../graph/form.ts";
import { launchOf } from "../program/launch.ts";
import type { Action, SourceHost } from "../stage/stage.ts";
import type { UploadStore } from "./upload-store.ts";

/**
 * An uploaded program as an action: checked out and checked when its stage is opened, and run from there. It speaks frames
 * unless its node says otherwise, as GoStreaming's actions do.
 */
export function uploadedAction(node: GraphNode, uploads: UploadStore): Action {
  const { action: reference = node.name, ...settings } = node;
  const { name, version } = uploads.get(reference);
  const folderOf = (host: SourceHost): string => join(host.folder, `run-${host.epoch}`);
  const prepare = async (host: SourceHost): Promise<void> => {
    await uploads.checkOut(`${name}@${version}`, folderOf(host));
    await forgetOthers(host.folder, `run-${host.epoch}`);
  };
  const program = programAction({ codec: "frames", ...settings, command: [name] }, (given, [, ...args], host) => ({
    ...launchOf(given, [join(folderOf(host), `${name}-${version}`), ...args]),
    cwd: folderOf(host),
  }));
  const { source, stage, fuse: _joined, ...others } = program;
  return {
    ...others,
    ...(source === undefined
      ? {}
      : {
          source: async (host) => {
            await prepare(host);
            return source(host);
          },
        }),
    ...(stage === undefined
      ? {}
      : {
          stage: async (host) => {
            await prepare(host);
            return stage(host);
          },
        }),
  };
}

/** What earlier runs had checked out. */
async function forgetOthers(folder: string, kept: string): Promise<void> {
  const others = (await readdir(folder)).filter((name) => name.startsWith("run-") && name !== kept);
  await Promise.all(others.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
