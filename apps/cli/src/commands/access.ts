import type { ArgumentSpec, CommandSpec } from "../command.ts";

const NAME: ArgumentSpec = { usage: "<name>", summary: "whose it is: lower-case letters, digits, . _ @ and -" };

const tokens = () => import("../run/tokens.ts");

/** Commands about who may do what, and who has done what. */
export const accessCommands: readonly CommandSpec[] = [
  {
    path: "whoami",
    summary: "show whose token is used, and its role",
    examples: [{ line: "whoami", does: "what the node takes you for" }],
    load: () => import("../run/whoami.ts"),
  },
  {
    path: "token create",
    summary: "make a token for somebody, and print it: it is shown this once",
    details: "A viewer looks; an operator also sends, stops, restarts and replays; an admin also changes what runs.",
    arguments: [NAME],
    options: [
      { flags: "--role <role>", summary: "what it allows", choices: ["viewer", "operator", "admin"] },
      {
        flags: "--expires <duration>",
        summary: "how long it is good for, such as 30d (default: until revoked)",
        kind: "duration",
      },
    ],
    examples: [
      { line: "token create alice --role operator --expires 30d", does: "good for a month" },
      { line: "token create ci --role viewer > ci.token", does: "the token alone, into a file" },
    ],
    load: () => tokens().then(({ create }) => ({ run: create })),
  },
  {
    path: "token ls",
    summary: "list who has a token besides the owner of the node; the tokens themselves nobody can list",
    examples: [{ line: "token ls", does: "roles, ends, and when each was last used" }],
    load: () => tokens().then(({ list }) => ({ run: list })),
  },
  {
    path: "token revoke",
    summary: "refuse a token from now on",
    arguments: [NAME],
    examples: [{ line: "token revoke alice", does: "at once, for whatever holds it" }],
    load: () => tokens().then(({ revoke }) => ({ run: revoke })),
  },
  {
    path: "audit",
    summary: "list who changed what, and who tried to, the newest first",
    options: [
      { flags: "--name <name>", summary: "only by this one" },
      { flags: "--operation <id>", summary: "only this operation of the API, such as scaleProcessor" },
      { flags: "--since <time>", summary: "only after this: an age such as 1h, or a time such as 2026-03-01T08:00:00Z" },
      { flags: "--limit <count>", summary: "at most this many (default 100)", kind: "count" },
      { flags: "--cursor <cursor>", summary: "go on where the last page ended" },
    ],
    examples: [
      { line: "audit --since 1h", does: "what was changed in the last hour" },
      { line: "audit --name alice --operation revokeToken -o json", does: "one person and one operation, for programs" },
    ],
    load: () => import("../run/audit.ts"),
  },
];
