/** Paths of the HTTP API; names from outside are encoded here and nowhere else. */
export const paths = {
  node: "/api/v1/node",
  types: "/api/v1/types",
  stats: "/api/v1/stats",
  messages: "/api/v1/messages",
  processors: "/api/v1/processors",
  processor: (name: string, action = ""): string => `/api/v1/processors/${encodeURIComponent(name)}${action && `/${action}`}`,
  deadLetters: "/api/v1/dead-letters",
  deadLetter: (id: string, action = ""): string => `/api/v1/dead-letters/${encodeURIComponent(id)}${action && `/${action}`}`,
} as const;
