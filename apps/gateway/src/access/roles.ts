/** What somebody may do; each may also do what those before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Who asks, as their token says. */
export interface Identity {
  readonly name: string;
  readonly role: Role;
  /** When what they have shown ends. @default never */
  readonly expiresMs?: number | undefined;
}

/** Whether a role is enough for what asks for `needed`. */
export function isEnough(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Operations that make a node run other code or other declarations, and those about who may do what. */
const FOR_ADMINS: ReadonlySet<string> = new Set([
  "addProcessor",
  "replaceProcessor",
  "removeProcessor",
  "uploadAction",
  "removeAction",
  "applyGraph",
  "removeGraph",
  "rollbackGraph",
  "upgradeStage",
  "createMeta",
  "putMeta",
  "deleteMeta",
  "enableMeta",
  "disableMeta",
  "createRelation",
  "putRelation",
  "deleteRelation",
  "enableRelation",
  "disableRelation",
  "applyDeclarations",
  "listTokens",
  "createToken",
  "revokeToken",
  "listAudit",
  "createNodeToken",
  "listNodeTokens",
  "revokeNodeToken",
  "adoptNode",
  "approveNode",
  "releaseNode",
  "moveNode",
  "nameStandby",
  "reconcileNodes",
  "joinTree",
  "listTreeAudit",
]);

/** Operations that ask with a body, and change nothing. */
const QUESTIONS: ReadonlySet<string> = new Set(["checkGraph", "checkDeclarations", "planDeclarations"]);

/** Operations that carry work and change nothing about the node: their number knows no bounds, and the journal has them. */
const TRAFFIC: ReadonlySet<string> = new Set(["postMessage", "putInstance", "putInstances", "answerTask"]);

/** The role that an operation needs: looking is for viewers, doing for operators, changing what is done for admins. */
export function roleFor(method: string, operationId: string | undefined): Role {
  if (operationId !== undefined && FOR_ADMINS.has(operationId)) return "admin";
  if (operationId !== undefined && QUESTIONS.has(operationId)) return "viewer";
  return method === "GET" || method === "HEAD" ? "viewer" : "operator";
}

/** Whether an operation asks, though not with GET. */
export function isQuestion(operationId: string): boolean {
  return QUESTIONS.has(operationId);
}

/** Whether the audit log has an operation. */
export function isChange(method: string, operationId: string): boolean {
  return method !== "GET" && method !== "HEAD" && !QUESTIONS.has(operationId) && !TRAFFIC.has(operationId);
}
