/**
 * Whether what an executor gave has the shape of an answer. Code in TypeScript is checked by its types; what comes over a wire, or from
 * plain JavaScript, is checked here before the engine relies on it. Each check gives what is wrong, or undefined.
 */
export type Problem = string | undefined;

/** Of a whole answer. */
export function answerProblem(given: unknown): Problem {
  if (!isObject(given)) return `an answer is an object, this is ${shown(given)}`;
  switch (given.type) {
    case "instances":
      return outputsProblem(given.instances);
    case "none":
      return undefined;
    case "delay":
      return isWait(given.delayMs) && given.delayMs > 0
        ? undefined
        : `delayMs is ${shown(given.delayMs)}, expected milliseconds above 0`;
    case "environment":
    case "logic":
      return typeof given.message === "string" ? undefined : `message is ${shown(given.message)}, expected text`;
    case "self-route":
      return listProblem("instances", given.instances, routeProblem);
    default:
      return `type is ${shown(given.type)}, expected one of instances, none, delay, environment, logic, self-route`;
  }
}

/** Of the instances in an answer, or of what a filter behind an executor gave. */
export function outputsProblem(given: unknown): Problem {
  return listProblem("instances", given, outputProblem);
}

/** Of what a filter before an executor gave: a whole instance. */
export function instanceProblem(given: unknown): Problem {
  const problem = outputProblem(given);
  if (problem !== undefined) return problem;
  const { meta, id, para, content, context, sysContext, states, version } = given as Record<string, unknown>;
  const parts = { meta, id, para, content, context, sysContext, states };
  for (const [name, value] of Object.entries(parts)) if (value === undefined) return `${name} is missing`;
  return Number.isInteger(version) ? undefined : `version is ${shown(version)}, expected a whole number`;
}

/** What a value looks like, cut to a length that people read. */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function outputProblem(given: unknown): Problem {
  if (!isObject(given)) return `an instance is an object, this is ${shown(given)}`;
  for (const name of ["meta", "id", "para", "content"] as const) {
    const value = given[name];
    if (value !== undefined && typeof value !== "string") return `${name} is ${shown(value)}, expected text`;
  }
  for (const name of ["context", "sysContext"] as const) {
    const value = given[name];
    if (value === undefined) continue;
    if (!isObject(value)) return `${name} is ${shown(value)}, expected an object of texts`;
    for (const key of Object.keys(value)) {
      if (typeof value[key] !== "string") return `${name}[${JSON.stringify(key)}] is ${shown(value[key])}, expected text`;
    }
  }
  const { states } = given;
  const isStates = states === undefined || (Array.isArray(states) && states.every((state) => typeof state === "string"));
  return isStates ? undefined : `states is ${shown(states)}, expected a list of names`;
}

function routeProblem(given: unknown): Problem {
  if (!isObject(given)) return `a self route is an object, this is ${shown(given)}`;
  const problem = outputProblem(given.instance) ?? listProblem("converters", given.converters, converterProblem);
  if (problem !== undefined) return problem;
  return (given.converters as unknown[]).length > 0 ? undefined : "converters is empty, expected at least one";
}

function converterProblem(given: unknown): Problem {
  if (!isObject(given)) return `a converter is an object, this is ${shown(given)}`;
  const { to, executor, useUpstreamId, delayMs } = given;
  if (to !== undefined && typeof to !== "string") return `to is ${shown(to)}, expected a D meta`;
  if (!isObject(executor)) return `executor is ${shown(executor)}, expected { protocol, url }`;
  if (useUpstreamId !== undefined && typeof useUpstreamId !== "boolean")
    return `useUpstreamId is ${shown(useUpstreamId)}, expected true or false`;
  return delayMs === undefined || isWait(delayMs) ? undefined : `delayMs is ${shown(delayMs)}, expected milliseconds, 0 or more`;
}

function listProblem(name: string, given: unknown, problemOf: (one: unknown) => Problem): Problem {
  if (!Array.isArray(given)) return `${name} is ${shown(given)}, expected a list`;
  for (const [at, one] of given.entries()) {
    const problem = problemOf(one);
    if (problem !== undefined) return `${name}[${at}]: ${problem}`;
  }
  return undefined;
}

function isWait(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
