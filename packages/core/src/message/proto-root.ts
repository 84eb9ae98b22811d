import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type protobuf from "protobufjs";

// With the first file that is read: a node has begun its processors by then, and a process without links never does.
const require = createRequire(import.meta.url);

/** The folder with the published `.proto` files. */
export const protoFolder: string = fileURLToPath(new URL("../../proto", import.meta.url));

/** Reads one of the published proto files; files are named by their path below the proto folder. */
export function loadProto(file: string): protobuf.Root {
  const { Root } = require("protobufjs") as typeof protobuf;
  const root = new Root();
  const resolve = root.resolvePath.bind(root);
  // google/protobuf/* comes with protobufjs, everything else from our folder.
  root.resolvePath = (origin, target) =>
    target.startsWith("google/protobuf/") ? resolve(origin, target) : `${protoFolder}/${target}`;
  return root.loadSync(file);
}
