import type { Clock, Timer } from "../clock.ts";
import { wait } from "../clock.ts";
import { coreError } from "../errors.ts";
import { isOrder } from "../message/orders.ts";
import type { RouteInfo, Router } from "../router/router.ts";
import type { Maintenance } from "./card.ts";
import type { TreeStore } from "./store.ts";
import type { UpgradeHook } from "./upgrade.ts";

/*
 * Maintenance of a node, or of one of its members (a processor): active -> draining -> drained -> (down) -> verifying -> active.
 *
 * M1. From the moment it is entered nothing new is handled; what was taken before ends by its own deadline. Orders
 *     always pass, so that one can look, prolong and leave.
 * M2. It is stored before it counts: a node that is stopped and started meanwhile is still in maintenance.
 * M3. It ends when somebody ends it. When its time is over somebody is told, and nothing else happens.
 */

export interface MaintenanceRequest {
  /** The id of a member, for example a processor's name; absent: the whole node. */
  readonly member?: string | undefined;
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  /** After how long somebody is to be told that it lasts, in milliseconds. @default 3_600_000 */
  readonly expiresInMs?: number | undefined;
  /** Paths of nodes that can answer meanwhile. */
  readonly alternates?: readonly string[] | undefined;
}

/** What is called on the way, for whoever upgrades. An error of `after` keeps the node in maintenance. */
export interface MaintenanceHooks {
  before?(): Promise<void> | void;
  drained?(): Promise<void> | void;
  after?(): Promise<void> | void;
  /** How the node upgrades itself when its manager says so, on a bare host. @default it does not */
  upgrade?: UpgradeHook;
}

export interface MaintenanceParts {
  readonly clock: Clock;
  readonly store: TreeStore;
  readonly router: Router;
  readonly hooks: MaintenanceHooks;
  /** Messages that are being handled on this node, orders left out. */
  readonly inFlight: () => number;
  readonly onChange: (text: string, isOverdue: boolean) => void;
}

interface Entry extends Maintenance {
  readonly alternates: readonly string[];
}

const KEY = "maintenance";
/** The entry of the whole node; the other keys are ids of members. */
const NODE = "";
const DEFAULT_EXPIRY_MS = 3_600_000;
const RETRY_AFTER_MS = 1_000;
const LOOK_MS = 10;

export class NodeMaintenance {
  readonly #parts: MaintenanceParts;
  readonly #entries: Map<string, Entry>;
  readonly #timers = new Map<string, Timer>();
  #isStopped = false;

  constructor(parts: MaintenanceParts, record: unknown) {
    this.#parts = parts;
    this.#entries = new Map(Object.entries((record as Record<string, Entry> | undefined) ?? {}));
    this.#guard();
    for (const key of this.#entries.keys()) this.#watch(key);
  }

  static readonly key = KEY;

  /** Of the node as a whole. */
  get node(): Maintenance | undefined {
    return this.#entries.get(NODE);
  }

  /** Of members, by id. */
  get members(): Readonly<Record<string, Maintenance>> {
    return Object.fromEntries([...this.#entries].filter(([key]) => key !== NODE));
  }

  /** Those that last longer than they were meant to. */
  get overdue(): string[] {
    const nowMs = this.#parts.clock.now();
    return [...this.#entries]
      .filter(([, { expiresMs = Number.POSITIVE_INFINITY }]) => expiresMs <= nowMs)
      .map(([key]) => key || "the node");
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  /** Enters, or prolongs what was entered. The drain goes on by itself; {@link drained} waits for it. */
  async enter(request: MaintenanceRequest): Promise<void> {
    const key = request.member ?? NODE;
    this.#check(key);
    const { clock, hooks } = this.#parts;
    const nowMs = clock.now();
    const known = this.#entries.get(key);
    const expiresMs = nowMs + (request.expiresInMs ?? DEFAULT_EXPIRY_MS);
    if (known === undefined && key === NODE) await hooks.before?.();
    this.#put(key, {
      state: known?.state ?? "draining",
      reason: request.reason ?? known?.reason ?? "",
      by: request.by ?? known?.by ?? "",
      sinceMs: known?.sinceMs ?? nowMs,
      expiresMs,
      alternates: request.alternates ?? known?.alternates ?? [],
    });
    if (known === undefined) {
      this.#drain(key).catch((error: Error) =>
        this.#parts.onChange(`the drain of ${key || "the node"} failed: ${error.message}`, true),
      );
    }
  }

  /** Waits until nothing that was taken before is under way; gives whether that is so by the deadline. */
  async drained(member: string | undefined, deadlineMs: number): Promise<boolean> {
    const { clock } = this.#parts;
    const isDraining = (): boolean => this.#entries.get(member ?? NODE)?.state === "draining";
    while (isDraining() && clock.now() < deadlineMs) await wait(clock, LOOK_MS);
    return !isDraining();
  }

  /** Leaves. The hook `after` verifies; if it fails, the node stays in maintenance. */
  async leave(member?: string): Promise<void> {
    const key = member ?? NODE;
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (key === NODE && this.#parts.hooks.after !== undefined) {
      this.#put(key, { ...entry, state: "verifying" });
      try {
        await this.#parts.hooks.after();
      } catch (error) {
        this.#put(key, { ...entry, state: "drained" });
        throw error;
      }
    }
    this.#entries.delete(key);
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
    this.#saved(`${key || "the node"} is active again`);
  }

  async #drain(key: string): Promise<void> {
    const { clock, hooks } = this.#parts;
    while (this.#entries.get(key)?.state === "draining" && this.#open(key) > 0 && !this.#isStopped) await wait(clock, LOOK_MS);
    const entry = this.#entries.get(key);
    if (entry?.state !== "draining" || this.#isStopped) return;
    this.#put(key, { ...entry, state: "drained" });
    if (key === NODE) await hooks.drained?.();
  }

  #open(key: string): number {
    if (key === NODE) return this.#parts.inFlight();
    const members = new Set(this.#routesOf(key).map((route) => this.#parts.router.memberOf(route)));
    return Math.max(0, ...[...members].map(({ inFlight }) => inFlight));
  }

  #routesOf(member: string): RouteInfo[] {
    return this.#parts.router.routes().filter(({ memberId }) => memberId === member);
  }

  #check(key: string): void {
    if (key === NODE || this.#entries.has(key) || this.#routesOf(key).length > 0) return;
    const known = [...new Set(this.#parts.router.routes().map(({ memberId }) => memberId))].join(", ");
    throw coreError("resource.not_found", `no member ${key} handles messages here; those that do: ${known}`);
  }

  #put(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#watch(key);
    this.#saved(`${key || "the node"} is ${entry.state}: ${entry.reason}`);
  }

  #saved(text: string): void {
    if (this.#entries.size === 0) this.#parts.store.delete(KEY);
    else this.#parts.store.put(KEY, Object.fromEntries(this.#entries));
    this.#guard();
    this.#parts.onChange(text, false);
  }

  /** Tells when it has lasted too long. */
  #watch(key: string): void {
    const { clock } = this.#parts;
    this.#timers.get(key)?.cancel();
    const expiresMs = this.#entries.get(key)?.expiresMs;
    if (expiresMs === undefined || expiresMs <= clock.now()) return;
    const tell = (): void => this.#parts.onChange(`the maintenance of ${key || "the node"} lasts longer than was meant`, true);
    this.#timers.set(key, clock.setTimer(expiresMs - clock.now(), tell));
  }

  /** Refuses what is new, as long as there is anything to refuse. */
  #guard(): void {
    if (this.#entries.size === 0) {
      this.#parts.router.guardBy(undefined);
      return;
    }
    this.#parts.router.guardBy((message, route) => {
      if (isOrder(message.type)) return;
      const entry = this.#entries.get(NODE) ?? this.#entries.get(route.memberId);
      if (entry !== undefined) throw refused(entry, route);
    });
  }
}

function refused({ state, reason, alternates }: Entry, route: RouteInfo): Error {
  const where = alternates.length > 0 ? `; ${alternates.join(", ")} can answer meanwhile` : "";
  return coreError("node.maintenance", `${route.memberId} is ${state} for maintenance (${reason || "no reason given"})${where}`, {
    retryAfterMs: RETRY_AFTER_MS,
    details: { state, reason, alternates, member: route.memberId },
  });
}
