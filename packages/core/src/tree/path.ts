import { coreError } from "../errors.ts";

/** Where a node stands: `/root/eu/n7`, the names of its ancestors and its own, the root's first. */
export type NodePath = string;

/** The path of a child. */
export function childPath(parent: NodePath, name: string): NodePath {
  return `${parent}/${name}`;
}

/** Whether `path` lies below `above`; a path does not lie below itself. */
export function isBelow(path: NodePath, above: NodePath): boolean {
  return path.length > above.length && path.startsWith(above) && path[above.length] === "/";
}

/** Of a path below `own`, the name of the child that it leads to. */
export function nextName(own: NodePath, path: NodePath): string {
  const end = path.indexOf("/", own.length + 1);
  return path.slice(own.length + 1, end < 0 ? undefined : end);
}

/** Whether a target is a path; anything else is a node's id. */
export function isPath(target: string): boolean {
  return target.startsWith("/");
}

/**
 * A path without a slash at its end.
 * @throws {MetanodeError} message.invalid – an empty name in it
 */
export function cleanPath(text: string): NodePath {
  const path = text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
  if (/^(\/[^/\s]+)+$/.test(path)) return path;
  throw coreError("message.invalid", `${JSON.stringify(text)} is no path of a node, expected names such as /root/eu/n7`, {
    details: { path: "target" },
  });
}
