import { coreError, hasCode } from "@metanode/core/errors";
import { type ChildInfo, type NodeDescription, TREE } from "@metanode/core/tree";

/** The node that is to manage what is deployed, by its messages. A `MetaNode` is one; so is whatever brings messages to one. */
export interface Manager {
  call(
    message: { readonly type: string; readonly data?: unknown; readonly extensions?: Readonly<Record<string, string>> },
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<unknown>;
}

/** A child, for a deployment. */
export type Member = Pick<ChildInfo, "id" | "name" | "path" | "state" | "epoch" | "card">;

/** What a node gets to answer, beyond what it may wait for itself. */
const MARGIN_MS = 30_000;

/** The children of a manager: who they are, who may come, who goes. */
export class Members {
  readonly #manager: Manager;
  readonly #under: string | undefined;

  /** @param under path or id of the manager, where it is a node below the one that is spoken to */
  constructor(manager: Manager, under?: string) {
    this.#manager = manager;
    this.#under = under;
  }

  /** By name; who only asks to be adopted is none. */
  async list(): Promise<ReadonlyMap<string, Member>> {
    const { children } = await this.#order<NodeDescription>(TREE.describe);
    return new Map(children.filter(({ state }) => state !== "pending").map((child) => [child.name, child]));
  }

  /** A token for one node. */
  async token(ttlMs: number): Promise<{ readonly id: string; readonly text: string }> {
    return this.#order(TREE.token, { purpose: "join", uses: 1, ttlMs });
  }

  /** Makes a token useless. One that is forgotten already is that. */
  async revoke(id: string): Promise<void> {
    await this.#order(TREE.revoke, { id }).catch((error: unknown) => {
      if (!hasCode(error, "resource.not_found")) throw error;
    });
  }

  /** Lets a child go when it has answered what it was asked. @throws {MetanodeError} call.deadline – it has not; node.unreachable */
  async release(name: string, { drainMs, force = false }: { drainMs: number; force?: boolean }): Promise<void> {
    await this.#order(TREE.release, { child: name, drainMs, force }, drainMs + MARGIN_MS).catch((error: unknown) => {
      if (!hasCode(error, "tree.not_managed")) throw error; // somebody else was quicker
    });
  }

  /** Whether a child answers by itself. */
  async answers({ path }: Member): Promise<boolean> {
    try {
      await this.#manager.call({ type: TREE.ping, extensions: { target: path } }, { timeoutMs: 2_000 });
      return true;
    } catch {
      return false; // why does not matter: it is asked again, or given up
    }
  }

  /** Lets a child take nothing new, and waits until it has done what it has. @throws {MetanodeError} call.deadline */
  async enterMaintenance({ path, name }: Member, { reason, waitMs }: { reason: string; waitMs: number }): Promise<void> {
    const answer = await this.#order<{ drained?: boolean }>(
      TREE.maintain,
      { node: path, on: true, reason, waitMs },
      waitMs + MARGIN_MS,
    );
    if (answer.drained !== true) {
      await this.leaveMaintenance(path);
      throw coreError("call.deadline", `${name} did not finish what it has within ${waitMs} ms, and is left as it was`);
    }
  }

  async leaveMaintenance(path: string): Promise<void> {
    await this.#order(TREE.maintain, { node: path, on: false });
  }

  #order<T>(type: string, data?: object, timeoutMs = MARGIN_MS): Promise<T> {
    const message = {
      type,
      ...(data === undefined ? {} : { data }),
      ...(this.#under === undefined ? {} : { extensions: { target: this.#under } }),
    };
    return this.#manager.call(message, { timeoutMs }) as Promise<T>;
  }
}
