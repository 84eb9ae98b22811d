/** Paths of the HTTP API; names from outside are encoded here and nowhere else. */
export const paths = {
  node: "/api/v1/node",
  types: "/api/v1/types",
  stats: "/api/v1/stats",
  messages: "/api/v1/messages",
  processors: "/api/v1/processors",
  processor: (name: string, action = ""): string => `/api/v1/processors/${encodeURIComponent(name)}${action && `/${action}`}`,
  actors: "/api/v1/actors",
  actor: (name: string, action = ""): string => `/api/v1/actors/${encodeURIComponent(name)}${action && `/${action}`}`,
  actorMeta: (id: string, action = ""): string => `/api/v1/actors/meta/${encodeURIComponent(id)}${action && `/${action}`}`,
  actorTree: "/api/v1/actors/tree",
  actorKernel: "/api/v1/actors/kernel",
  actorMetas: "/api/v1/actors/meta",
  actorEvents: "/api/v1/actors/events",
  deadLetters: "/api/v1/dead-letters",
  deadLetter: (id: string, action = ""): string => `/api/v1/dead-letters/${encodeURIComponent(id)}${action && `/${action}`}`,
} as const;
