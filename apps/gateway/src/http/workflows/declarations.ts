import { coreError, errorRow, MetanodeError } from "@metanode/core";
import type { ChangePlan, Meta, Relation } from "@metanode/nature/internal";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { instanceOf, ProblemSchema, toProblem } from "../problem.ts";
import { answer, problems } from "../responses.ts";
import { library, tags, workflowsOf } from "./access.ts";
import { EDIT_PROBLEMS } from "./metas.ts";
import { MetaBody, RelationBody } from "./views.ts";

const Declared = {
  metas: z.array(z.looseObject({ meta: z.string(), ...MetaBody })).default([]),
  relations: z.array(z.looseObject({ from: z.string(), to: z.string(), ...RelationBody })).default([]),
  prune: z.boolean().default(false).describe("Also remove what is declared on the node and not here."),
};
const Plan = z.strictObject(Declared);
const Apply = z.strictObject({
  ...Declared,
  ifVersion: z.int().min(0).optional().describe("The version that a plan was shown for."),
});

const ChangeView = z.object({
  action: z.enum(["add", "change", "remove"]),
  kind: z.enum(["meta", "relation"]),
  name: z.string(),
  fields: z.array(z.object({ path: z.string(), before: z.unknown().optional(), after: z.unknown().optional() })),
});
const PlanView = z
  .object({
    version: z.int().describe("Of what is declared, before the changes."),
    changes: z.array(ChangeView),
    unchanged: z.int(),
    leftAlone: z.array(z.string()).describe("Is declared on the node, not here, and stays."),
    text: z.string().describe("The plan for people."),
  })
  .meta({ id: "WorkflowPlan", description: "What has to change so that the node says what is declared" });
const Applied = z.object({ version: z.int().describe("What is in force now."), changed: z.int(), plan: PlanView });

const CHECKS = [
  "meta.syntax",
  "meta.invalid",
  "meta.unknown",
  "meta.exists",
  "meta.in_use",
  "relation.invalid",
  "relation.unknown",
  "relation.exists",
  "instance.state",
] as const;

/** Declarations as a whole: see what would change, and change it. */
export function declarationRoutes(api: Api, context: HttpContext): void {
  const planSchema = {
    operationId: "planDeclarations",
    summary: "What would change if this were declared; changes nothing",
    tags,
    body: Plan,
    response: { 200: answer("The plan", PlanView), ...problems(...EDIT_PROBLEMS, ...CHECKS) },
  };
  api.post("/workflows/plan", { schema: planSchema }, async ({ body }) => viewOf(await planOf(context, body)));
  const checkSchema = {
    operationId: "checkDeclarations",
    summary: "The same for people who are still typing: what is wrong is an answer and no error",
    tags,
    body: z.looseObject({}),
    response: {
      200: answer("The plan, or what is wrong", z.object({ plan: PlanView.optional(), problem: ProblemSchema.optional() })),
      ...problems("usage.invalid", "message.invalid", "message.content_type", "resource.not_found", "store.unavailable"),
    },
  };
  api.post("/workflows/check", { schema: checkSchema }, async ({ body, id }) => {
    // Whether there are workflows at all is no matter of what was typed.
    workflowsOf(context);
    try {
      return { plan: await viewOf(await planOf(context, readPlan(body))) };
    } catch (error) {
      if (!(error instanceof MetanodeError) || errorRow(error.code).http >= 500) throw error;
      return { problem: toProblem(error, instanceOf(id)) };
    }
  });
  const applySchema = {
    operationId: "applyDeclarations",
    summary: "Declare all of this, or nothing of it",
    tags,
    body: Apply,
    response: { 200: answer("What was changed", Applied), ...problems(...EDIT_PROBLEMS, ...CHECKS) },
  };
  api.post("/workflows/apply", { schema: applySchema }, async ({ body }) => {
    const { registry } = workflowsOf(context);
    const { applyChanges } = await library();
    const plan = await planOf(context, body);
    if (body.ifVersion !== undefined && body.ifVersion !== plan.version) {
      throw coreError(
        "state.conflict",
        `what is declared has version ${plan.version} by now, not ${body.ifVersion}; look at the plan again`,
        {
          details: { expected: body.ifVersion, found: plan.version },
          retryable: false,
        },
      );
    }
    const { version, changed } = await applyChanges(registry, plan);
    return { version, changed, plan: await viewOf(plan) };
  });
}

/** @throws {MetanodeError} usage.invalid – with the path of the first thing that is wrong */
function readPlan(body: unknown): z.infer<typeof Plan> {
  const { success, data, error } = Plan.safeParse(body);
  if (success) return data;
  const [issue] = error.issues;
  const path = `/${issue?.path.join("/") ?? ""}`;
  throw coreError("usage.invalid", `at ${path}: ${issue?.message ?? "this is no declaration"}`, { details: { path } });
}

async function planOf(context: HttpContext, { metas, relations, prune }: z.infer<typeof Plan>): Promise<ChangePlan> {
  const { registry } = workflowsOf(context);
  const { planChanges } = await library();
  await registry.refresh();
  return planChanges({ metas: metas as Meta[], relations: relations as Relation[] }, registry.declared, { prune });
}

async function viewOf(plan: ChangePlan): Promise<z.infer<typeof PlanView>> {
  const { planText } = await library();
  const { version = 0, changes, unchanged, leftAlone } = plan;
  return {
    version,
    changes: changes.map(({ action, kind, name, fields }) => ({
      action,
      kind,
      name,
      fields: fields.map((field) => ({ ...field })),
    })),
    unchanged,
    leftAlone: [...leftAlone],
    text: planText(plan),
  };
}
