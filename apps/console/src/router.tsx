import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Overview } from "./screens/overview.tsx";
import { NotFound, Shell } from "./shell/shell.tsx";

/** What of the address's query a screen knows; everything is text, and absent where it is not set. */
type Search<K extends string> = Partial<Record<K, string>>;

function search<K extends string>(...names: readonly K[]): (given: Record<string, unknown>) => Search<K> {
  return (given) => {
    const found: Search<K> = {};
    for (const name of names) {
      const value = given[name];
      if (value !== undefined && value !== "") found[name] = String(value);
    }
    return found;
  };
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const at = { getParentRoute: () => root };

const overview = createRoute({ ...at, path: "/", component: Overview });
const processors = createRoute({
  ...at,
  path: "/processors",
  component: lazyRouteComponent(() => import("./screens/processors.tsx"), "Processors"),
});
const processor = createRoute({
  ...at,
  path: "/processors/$name",
  component: lazyRouteComponent(() => import("./screens/processor.tsx"), "Processor"),
});
const actors = createRoute({
  ...at,
  path: "/actors",
  validateSearch: search("view", "find"),
  component: lazyRouteComponent(() => import("./screens/actors.tsx"), "Actors"),
});
const actor = createRoute({
  ...at,
  path: "/actors/$id",
  validateSearch: search("kind"),
  component: lazyRouteComponent(() => import("./screens/actor.tsx"), "Actor"),
});
const workflows = createRoute({
  ...at,
  path: "/workflows",
  validateSearch: search("view", "meta", "state", "find", "map"),
  component: lazyRouteComponent(() => import("./screens/workflows.tsx"), "Workflows"),
});
const declaration = createRoute({
  ...at,
  path: "/workflows/declare",
  validateSearch: search("meta", "from", "to"),
  component: lazyRouteComponent(() => import("./screens/declare.tsx"), "Declare"),
});
const instance = createRoute({
  ...at,
  path: "/workflows/instances/$key",
  component: lazyRouteComponent(() => import("./screens/instance.tsx"), "Instance"),
});
const streams = createRoute({
  ...at,
  path: "/streams",
  component: lazyRouteComponent(() => import("./screens/streams.tsx"), "Streams"),
});
const draw = createRoute({
  ...at,
  path: "/streams/new",
  validateSearch: search("name"),
  component: lazyRouteComponent(() => import("./screens/draw.tsx"), "Draw"),
});
const stream = createRoute({
  ...at,
  path: "/streams/$name",
  validateSearch: search("stage", "edge"),
  component: lazyRouteComponent(() => import("./screens/stream.tsx"), "Stream"),
});
const tree = createRoute({
  ...at,
  path: "/tree",
  validateSearch: search("view", "where"),
  component: lazyRouteComponent(() => import("./screens/tree.tsx"), "Tree"),
});
const treeNode = createRoute({
  ...at,
  path: "/tree/node",
  validateSearch: search("path"),
  component: lazyRouteComponent(() => import("./screens/tree-node.tsx"), "TreeNodeScreen"),
});
const messages = createRoute({
  ...at,
  path: "/messages",
  validateSearch: search("type", "member", "failed"),
  component: lazyRouteComponent(() => import("./screens/messages.tsx"), "Messages"),
});
const send = createRoute({
  ...at,
  path: "/messages/send",
  validateSearch: search("type"),
  component: lazyRouteComponent(() => import("./screens/send.tsx"), "Send"),
});
const trace = createRoute({
  ...at,
  path: "/traces/$id",
  component: lazyRouteComponent(() => import("./screens/trace.tsx"), "Trace"),
});
const deadLetters = createRoute({
  ...at,
  path: "/dead-letters",
  validateSearch: search("stream", "id"),
  component: lazyRouteComponent(() => import("./screens/dead-letters.tsx"), "DeadLetters"),
});
const access = createRoute({
  ...at,
  path: "/access",
  validateSearch: search("view", "name", "operation"),
  component: lazyRouteComponent(() => import("./screens/access.tsx"), "Access"),
});
const settings = createRoute({
  ...at,
  path: "/settings",
  component: lazyRouteComponent(() => import("./screens/settings.tsx"), "Settings"),
});

export const router = createRouter({
  basepath: "/console",
  routeTree: root.addChildren([
    overview,
    processors,
    processor,
    actors,
    actor,
    workflows,
    declaration,
    instance,
    streams,
    draw,
    stream,
    tree,
    treeNode,
    messages,
    send,
    trace,
    deadLetters,
    access,
    settings,
  ]),
  defaultPreload: "intent",
  scrollRestoration: true,
  // Text stays text: an id like "12" is no number here.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (given) => {
    const text = new URLSearchParams(
      Object.entries(given).flatMap(([name, value]) => (value === undefined || value === "" ? [] : [[name, String(value)]])),
    ).toString();
    return text === "" ? "" : `?${text}`;
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
