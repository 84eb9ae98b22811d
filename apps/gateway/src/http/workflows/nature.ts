import { asMetanodeError } from "@metanode/core/internal";
import type { Instance, InstanceInput, Locator, SelfRouteConverter } from "@metanode/nature/internal";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Guard } from "../auth.ts";
import type { Api, HttpContext } from "../context.ts";
import { toKnownError } from "../problem.ts";
import { library, workflowsOf } from "./access.ts";
import { naturesAnswer } from "./callbacks.ts";
import { readLossless } from "./lossless.ts";
import { conditionOf, readById, readRange } from "./nature-reads.ts";

/**
 * Nature's own endpoints: status 200 with `{"Ok": …}` or `{"Err": {kind: text}}`. A `JS` in the address means ids in text.
 *
 *  | here | there |
 *  |---|---|
 *  | a batch is stored whole or not at all, and what is wrong with it is answered | answered null whatever happened |
 *  | a version that is taken by other data is an error | Ok, and the data is lost |
 *  | the lists of states, versions and contents are checked | stored as they come |
 * @source spec of the workflow model, §7
 */
export async function natureRoutes(api: Api, context: HttpContext, guard: Guard): Promise<void> {
  readLossless(api);
  const ground = { context, guard };
  // What an executor calls back with shows what it has to show by itself.
  route(api, ground, { path: "/callback", isOpen: true }, async (body) => {
    await naturesAnswer(workflowsOf(context), objectOf(body));
    return null;
  });
  for (const isText of [false, true]) {
    route(api, ground, { path: isText ? "/inputJS" : "/input" }, async (body) => {
      const { input, origin } = await inputOf(body, isText);
      const { instance } = await workflowsOf(context).engine.input(input, origin === undefined ? {} : { origin });
      return idOf(instance, isText);
    });
    route(api, ground, { path: isText ? "/batchJS" : "/batch" }, async (body) => {
      const inputs = await Promise.all(listOf(body).map((one) => inputOf(one, isText)));
      await workflowsOf(context).engine.inputMany(inputs.map(({ input }) => input));
      return null;
    });
    route(api, ground, { path: isText ? "/get/byIdJs" : "/get/byId" }, async (body) =>
      readById(workflowsOf(context), await conditionOf(body), isText),
    );
  }
  route(api, ground, { path: "/get/byKeyRange" }, async (body) => readRange(workflowsOf(context), await conditionOf(body)));
  route(api, ground, { path: "/self_route" }, async (body) => {
    const { fromNatureRoute } = await library();
    const { instance, converters } = fromNatureRoute(objectOf(body));
    const { instance: stored } = await workflowsOf(context).engine.selfRoute(
      instance as InstanceInput,
      converters as SelfRouteConverter[],
    );
    return stored.id;
  });
}

interface Ground {
  readonly context: HttpContext;
  readonly guard: Guard;
}

interface Door {
  readonly path: string;
  /** Whether nobody has to show a token. */
  readonly isOpen?: boolean;
}

function route(
  api: Api,
  { context, guard }: Ground,
  { path, isOpen = false }: Door,
  work: (body: unknown) => Promise<unknown>,
): void {
  const needsToken = !isOpen && context.natureFace?.compatToken !== false;
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    let said: object;
    try {
      said = { Ok: await work(request.body) };
    } catch (error) {
      said = { Err: kindOf(error, request) };
    }
    return reply.type("application/json").send(JSON.stringify(said));
  };
  const guarded = needsToken ? { onRequest: guard.check } : {};
  api.post(path, { schema: { hide: true } as object, ...guarded }, answer as never);
}

const VERIFY = /^(meta|relation|instance|config|usage|task|message)\./;

/** Nature's word for what went wrong, with the text. @source spec of the workflow model, §0.3 */
function kindOf(error: unknown, request: FastifyRequest): Record<string, string> {
  const known = toKnownError(error, (errorId, cause) => request.log.error({ err: cause, errorId }, "a request met a defect"));
  const { code, message, retryable } = asMetanodeError(known);
  if (code === "instance.too_large") return { SystemError: message };
  if (VERIFY.test(code)) return { VerifyError: message };
  if (code === "executor.logic") return { LogicalError: message };
  return retryable ? { EnvironmentError: message } : { SystemError: message };
}

async function inputOf(body: unknown, isText: boolean): Promise<{ input: InstanceInput; origin: Locator | undefined }> {
  const { fromNature, natureError } = await library();
  const given = objectOf(body);
  for (const part of ["path", "data"]) objectOf(given[part], `/${part}`);
  if (isText && given.id !== undefined && (typeof given.id !== "string" || !/^\d+$/.test(given.id))) {
    throw natureError("instance.invalid", `/id is ${JSON.stringify(given.id)}, expected digits in text, "0" for none`);
  }
  const { create_time: _ignored, ...rest } = given;
  const { from, createdMs: _none, ...input } = fromNature(rest);
  return { input: input as InstanceInput, origin: from };
}

async function idOf({ id }: Instance, isText: boolean): Promise<unknown> {
  const { rawNumber } = await library();
  return isText ? id : rawNumber(id);
}

function objectOf(value: unknown, path = ""): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw Object.assign(new Error(`${path || "the body"} is no object`), {
    validation: [{ instancePath: path, message: "expected an object" }],
  });
}

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw Object.assign(new Error("the body is no list"), { validation: [{ instancePath: "", message: "expected a list" }] });
}
