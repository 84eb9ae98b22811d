import { actorError, knownOptions } from "../errors.ts";
import type { Address, PID } from "../identity/index.ts";
import type { Priority } from "../mailbox/index.ts";
import type { Fallback } from "../process/extras.ts";
import type { SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape } from "../runtime/typed.ts";

/** One run of a job. */
export interface CronRun {
  readonly node: string;
  readonly job: string;
  /** The minute that it stands for, since the Unix epoch. */
  readonly timeMs: number;
}

/** What a job with the action `send` sends. */
export class MessageCron implements CronRun {
  readonly node: string;
  readonly job: string;
  readonly timeMs: number;

  constructor({ node, job, timeMs }: CronRun) {
    this.node = node;
    this.job = job;
    this.timeMs = timeMs;
  }
}

/** To the fallback of a job: a run of it failed. */
export class MessageCronFallback {
  readonly job: string;
  readonly tag: string;
  readonly timeMs: number;
  readonly error: unknown;

  constructor({ job, timeMs }: CronRun, tag: string, error: unknown) {
    this.job = job;
    this.tag = tag;
    this.timeMs = timeMs;
    this.error = error;
  }
}

/** What the environment of a process says that a job has spawned. The time is a text like 2026-01-31T09:00:00.000Z. */
export const CRON_ENV = { node: "CRON_NODE_NAME", job: "CRON_JOB_NAME", time: "CRON_JOB_ACTION_TIME" } as const;

/** What a job does. It has failed if it throws or rejects; a run goes on while the next one begins. */
export type CronAction =
  /** Sends a {@link MessageCron} from the kernel. */
  | { readonly kind: "send"; readonly to: Address<MessageCron, never>; readonly priority?: Priority }
  /** Spawns a process of the kernel, whose environment says what for: `CRON_NODE_NAME`, `CRON_JOB_NAME`, `CRON_JOB_ACTION_TIME`. */
  | {
      readonly kind: "spawn";
      readonly actor: new () => ActorShape;
      readonly args?: readonly unknown[];
      readonly options?: SpawnOptions;
    }
  | { readonly kind: "run"; readonly run: (run: CronRun) => unknown }
  /** Spawns on another node what that one lets others spawn under `name`. */
  | {
      readonly kind: "remote_spawn";
      readonly node: string;
      readonly name: string;
      readonly args?: readonly unknown[];
      readonly options?: Pick<SpawnOptions, "name" | "env">;
    };

/** Spawns on another node. */
export type RemoteSpawn = (
  node: string,
  name: string,
  options: Pick<SpawnOptions, "name" | "env"> & { readonly args: readonly unknown[] },
) => Promise<PID>;

/** Something that is to happen at times of the day. */
export interface CronJob {
  readonly name: string;
  /**
   * Five parts: minute, hour, day, month, weekday (1 = Monday to 7 = Sunday), such as `30 9 * * 1-5`; with `L` for the last
   * day, `5L` for the last Friday, `5#2` for the second. Or `@hourly` (minute 1), `@daily` (03:10), `@weekly` (Monday 05:30),
   * `@monthly` (the 1st, 04:20).
   */
  readonly times: string;
  /** By its IANA name, such as `Europe/Berlin`. @default that of the machine */
  readonly timeZone?: string;
  readonly action: CronAction;
  /** Gets a {@link MessageCronFallback} when a run fails. @default nobody; failures are logged always */
  readonly fallback?: Fallback;
  /** @default true */
  readonly isEnabled?: boolean;
}

const KNOWN = ["name", "times", "timeZone", "action", "fallback", "isEnabled"] satisfies (keyof CronJob)[];
const KINDS: readonly string[] = ["send", "spawn", "run", "remote_spawn"] satisfies CronAction["kind"][];

/** @throws actor.incorrect */
export function checkJob(job: CronJob): void {
  knownOptions("cron job", job, KNOWN);
  if (typeof job.name !== "string" || job.name === "") throw actorError("actor.incorrect", "a cron job has a name");
  const kind: unknown = job.action?.kind;
  if (KINDS.includes(kind as string)) return;
  throw actorError("actor.incorrect", `the action of cron job ${job.name} is ${String(kind)}, expected ${KINDS.join(", ")}`);
}
