/** What the HTTP API answers with about who may do what. */
import type { AnswerOf, components } from "@metanode/client";

export type WhoView = AnswerOf<"whoAmI">;
export type TokenView = components["schemas"]["Token"];
/** A token that was just made, with its text. */
export type NewTokenView = AnswerOf<"createToken", 201>;
export type AuditView = components["schemas"]["AuditEntry"];
