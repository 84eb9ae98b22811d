import { MetanodeError } from "@metanode/core/errors";
import { asMetanodeError } from "@metanode/core/internal";
import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import type { SelfRouteConverter } from "../executor/executor.ts";
import { type Instance, type InstanceInput, keyOf, type Locator, lineKeyOf } from "../instance/instance.ts";
import type { EngineReport } from "./engine-report.ts";
import type { FaultHook } from "./fault.ts";
import { following } from "./following.ts";
import { type Accepted, accept, saysTheSame, withOrigin } from "./intake.ts";
import type { Lines } from "./lines.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import { routedMeta, routeMissions } from "./self-route.ts";
import type { Planned, Stored } from "./stored.ts";

/** Where an input went. */
export interface InputResult {
  /** As it is stored. */
  readonly instance: Instance;
  /** False = it was there already. */
  readonly isNew: boolean;
}

/** What the intake stands on. */
export interface IntakeGround {
  readonly options: ResolvedEngineOptions;
  readonly catalog: () => Catalog;
  readonly stored: Stored;
  readonly lines: Lines;
  readonly fault: FaultHook | undefined;
  readonly report: (report: EngineReport) => void;
  /** What was new is on the disk: on with what follows from it. */
  readonly follow: (planned: readonly Planned[]) => void;
}

/** What can be said about an input besides what it is. */
export interface InputOptions {
  /**
   * What it was made of, outside: kept as its `from`. A line takes one instance of each origin, so that an input with states, too, can be
   * repeated without harm.
   */
  readonly origin?: Locator;
  /** Told of its identity before it is stored; again if it has to become another version. */
  readonly onAccepted?: (instance: Instance) => void;
}

/** Other writers in a row, after which an input is refused. */
const MAX_CONFLICTS = 100;

/**
 * Takes instances from outside.
 *
 *  I1. The same again is the same: same meta, id, para and version are stored once. Data without states keeps what came first; a version with
 *      other data is refused.
 *  I2. A version follows the one before it. An input that names no version gets the next one.
 *  I3. Several inputs at once are stored all or none.
 */
export class Inputs {
  readonly #ground: IntakeGround;

  constructor(ground: IntakeGround) {
    this.#ground = ground;
  }

  async one(input: InstanceInput, { origin, onAccepted }: InputOptions = {}): Promise<InputResult> {
    const catalog = this.#ground.catalog();
    const given = this.#accept(catalog, input);
    const accepted = origin === undefined ? given : withOrigin(given, origin);
    if (!accepted.meta.isStateful) {
      onAccepted?.(accepted.instance);
      const [result] = await this.#put([this.#ground.stored.plan(catalog, accepted.instance)]);
      return result as InputResult;
    }
    const [result] = await this.#versions(catalog, [accepted], onAccepted);
    return result as InputResult;
  }

  async many(inputs: readonly InstanceInput[]): Promise<InputResult[]> {
    const { options, stored } = this.#ground;
    if (inputs.length > options.maxBatch) {
      throw natureError(
        "instance.too_large",
        `${inputs.length} instances were put in together, allowed are ${options.maxBatch}`,
        {
          details: { instances: inputs.length, maxBatch: options.maxBatch },
        },
      );
    }
    const catalog = this.#ground.catalog();
    const accepted = inputs.map((input, at) => this.#acceptOneOf(catalog, input, at));
    if (!accepted.some(({ meta }) => meta.isStateful)) {
      return this.#put(accepted.map(({ instance }) => stored.plan(catalog, instance)));
    }
    return this.#versions(catalog, accepted);
  }

  /** An instance of a D meta with its own ways on. */
  async selfRoute(input: InstanceInput, converters: readonly SelfRouteConverter[]): Promise<InputResult> {
    const catalog = this.#ground.catalog();
    const { meta, instance } = this.#accept(catalog, { ...input, id: "0" });
    routedMeta(catalog, meta.meta);
    const missions = routeMissions(instance, converters, this.#ground.options.clock.now());
    const [result] = await this.#put([this.#ground.stored.planWith(instance, { missions, problems: [] })]);
    return result as InputResult;
  }

  #accept(catalog: Catalog, input: InstanceInput): Accepted {
    const { options, fault } = this.#ground;
    const accepted = accept(catalog, input, options, options.clock.now());
    fault?.("input.accepted");
    return accepted;
  }

  #acceptOneOf(catalog: Catalog, input: InstanceInput, at: number): Accepted {
    try {
      return this.#accept(catalog, input);
    } catch (error) {
      const { code, message, details } = asMetanodeError(error);
      throw new MetanodeError(code, `instance ${at} of the batch: ${message}`, {
        details: { ...details, index: at },
        cause: error,
      });
    }
  }

  /** Inputs of which some are versions: each after the one that is stored. */
  async #versions(
    catalog: Catalog,
    accepted: readonly Accepted[],
    onAccepted?: InputOptions["onAccepted"],
  ): Promise<InputResult[]> {
    const stateful = accepted.filter(({ meta }) => meta.isStateful).map(({ instance }) => lineKeyOf(instance));
    if (new Set(stateful).size < stateful.length) {
      throw natureError("instance.invalid", "a batch holds at most one version of each line; put the later ones in after it");
    }
    return this.#ground.lines.run(stateful, async () => {
      for (let tries = 0; ; tries++) {
        const placed = await Promise.all(accepted.map((one) => this.#place(one)));
        for (const { instance, there } of placed) if (there === undefined) onAccepted?.(instance);
        const missing = placed.filter(({ there }) => there === undefined).map(({ instance }) => instance);
        const results =
          missing.length === 0 ? [] : await this.#tryToPut(missing.map((one) => this.#ground.stored.plan(catalog, one)));
        if (results !== undefined) {
          const stored = results.values();
          return placed.map(({ there }) =>
            there === undefined ? (stored.next().value as InputResult) : { instance: there, isNew: false },
          );
        }
        if (tries >= MAX_CONFLICTS) throw conflict(missing);
      }
    });
  }

  /** The version that an input will be, or the instance that it is already. @throws instance.version_gap, instance.conflict */
  async #place({ meta, instance: given }: Accepted): Promise<{ readonly instance: Instance; readonly there?: Instance }> {
    if (!meta.isStateful) return { instance: given };
    const { stored } = this.#ground;
    const last = (await stored.latest(given))?.version ?? 0;
    const version = given.version === 0 ? last + 1 : given.version;
    const details = { version, last };
    if (version > last + 1) {
      throw natureError(
        "instance.version_gap",
        `version ${version} of ${lineKeyOf(given)} cannot be stored: the last one is ${last}`,
        { details },
      );
    }
    const instance = { ...given, version };
    if (version > last) return { instance };
    const there = await stored.load(instance);
    // It was removed because of its age: then nobody can tell what it said.
    if (there !== undefined && saysTheSame(there, instance)) return { instance, there };
    throw natureError(
      "instance.conflict",
      `version ${version} of ${lineKeyOf(given)} is stored already, with other data; read it and put in version ${last + 1}`,
      { details },
    );
  }

  async #put(planned: readonly Planned[]): Promise<InputResult[]> {
    const results = await this.#tryToPut(planned);
    if (results !== undefined) return results;
    throw conflict(planned.map(({ entry }) => entry.instance));
  }

  /** Undefined = another writer was first. */
  async #tryToPut(planned: readonly Planned[]): Promise<InputResult[] | undefined> {
    const { stored, fault, follow } = this.#ground;
    const result = await stored.commit({ instances: planned.map(({ entry }) => entry) });
    if (result.status !== "done") return undefined;
    const fresh = planned.filter((_, at) => result.stored[at]);
    await following(this.#ground, fresh, () => {
      fault?.("input.stored");
      follow(fresh);
    });
    return Promise.all(
      planned.map(async ({ entry: { instance } }, at): Promise<InputResult> => {
        if (result.stored[at] === true) return { instance, isNew: true };
        return { instance: (await this.#stored(instance)) ?? instance, isNew: false };
      }),
    );
  }

  /** What is stored in place of an input: what has its key, or what its line has of the same origin. */
  async #stored(instance: Instance): Promise<Instance | undefined> {
    const { stored } = this.#ground;
    const there = await stored.load(instance);
    if (instance.from === undefined || (there !== undefined && instance.version === 0)) return there;
    const { instances } = await stored.outcome(instance.from);
    return instances.find((one) => lineKeyOf(one) === lineKeyOf(instance));
  }
}

function conflict(instances: readonly Instance[]): Error {
  const keys = instances.filter(({ version }) => version > 0).map(keyOf);
  return natureError("instance.conflict", `${keys.join(", ")} was stored by another writer meanwhile; put it in again`);
}
