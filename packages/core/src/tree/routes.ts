import { wait } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import { createGroup } from "../member/group.ts";
import { handlerMember } from "../member/handler.ts";
import type { CallContext, Member, MemberState } from "../member/member.ts";
import { one } from "../member/select.ts";
import type { Message } from "../message/message.ts";
import { isPattern, matchesPattern, parsePattern } from "../router/pattern.ts";
import { type Forwarder, TARGET } from "../router/router.ts";
import type { Child } from "./child.ts";
import type { Children } from "./children.ts";
import type { TreeMeans } from "./means.ts";
import type { NodeLink } from "./node-link.ts";
import { cleanPath, isBelow, isPath, nextName } from "./path.ts";
import type { Upward } from "./upward.ts";

/*
 * Ways through the tree. A node knows its manager and its children, and nobody else.
 *
 * W1. By path: down where the path lies below this node, else up. A name under which a child has moved on is `tree.moved`.
 * W2. By id: to a child, or to where the id was found before, or to where a search finds it.
 * W3. By type: what this node does not handle goes to the child with the fewest messages under way among those that do, or
 *     have it below them.
 * W4. While a standby takes the place of its manager, what is for a child that has yet to come, or for the manager that this node has yet
 *     to come to, waits a little.
 * W5. What has arrived loses its target. A message never goes back where it came from, save up and down once; the hop limit ends
 *     whatever else might go round.
 */

export interface RoutesParts {
  readonly means: TreeMeans;
  readonly upward: Upward;
  readonly children: Children;
  /** Looks for a node below this one; gives its path. */
  readonly find: (id: string, context: CallContext) => Promise<string | undefined>;
}

/** Ids whose paths are remembered. */
const REMEMBERED = 1_000;
/** How long a node that is being moved is waited for, and how often it is looked for, in milliseconds. */
const GAP_MS = 2_000;
const GAP_LOOK_MS = 25;
/** Members that may be tried when one turns out to be in maintenance. */
const ATTEMPTS = 3;

export class Routes implements Forwarder {
  readonly #parts: RoutesParts;
  readonly #paths = new Map<string, string>();
  readonly #byType = new Map<string, Member>();
  readonly #search: Member;
  readonly #searches = new Map<string, Promise<string | undefined>>();

  constructor(parts: RoutesParts) {
    this.#parts = parts;
    this.#search = handlerMember("search", (message, context) => this.#searched(message, context));
  }

  away(message: Message): Member | undefined {
    const target = String(message.extensions?.[TARGET] ?? "");
    const { means } = this.#parts;
    if (target === means.identity.id) return undefined;
    if (isPath(target)) return this.#byPath(cleanPath(target));
    const child = this.#parts.children.get(target);
    if (child?.isAdopted) return this.#to(child);
    return this.#search;
  }

  elsewhere(type: string, version: string | undefined): Member | undefined {
    const key = version === undefined ? type : `${type}@${version}`;
    const known = this.#byType.get(key);
    if (known !== undefined) return this.#handlers(type, version).length > 0 ? known : undefined;
    if (this.#handlers(type, version).length === 0) return undefined;
    const group = createGroup({
      id: `below:${key}`,
      members: () => this.#handlers(type, version),
      select: one.byLoad(),
      clock: this.#parts.means.clock,
      // Only what says that nothing was done is tried elsewhere.
      perMember: { retry: { attempts: ATTEMPTS, backoffMs: 0, when: (error) => isUntouched(error, type) } },
    });
    if (this.#byType.size >= REMEMBERED) this.#byType.clear();
    this.#byType.set(key, group);
    return group;
  }

  /** Where the message's target lies. @throws {MetanodeError} resource.not_found, tree.moved */
  #byPath(path: string): Member | undefined {
    const { upward, children } = this.#parts;
    const own = upward.place.path;
    if (path === own) return undefined;
    if (!isBelow(path, own)) return this.#up(path);
    const name = nextName(own, path);
    const child = children.named(name);
    if (child?.isAdopted) return this.#to(child);
    const moved = children.moved(name);
    if (moved === undefined) throw notFound(path, `${own} has no child ${name}`);
    const rest = path.slice(own.length + 1 + name.length);
    throw coreError("tree.moved", `${own}/${name} lives at ${moved.path} now`, {
      details: { id: moved.id, path: moved.path + rest, epoch: moved.epoch },
    });
  }

  #up(target: string): Way {
    const { upward } = this.#parts;
    const { link } = upward;
    if (link !== undefined) return linkMember(link);
    const lost = (): MetanodeError => notFound(target, `it is not below ${upward.place.path}, which has no manager now`);
    if (!upward.isSucceeding) throw lost();
    return this.#awaited(() => (upward.link === undefined ? undefined : linkMember(upward.link)), lost);
  }

  #to(child: Child): Way {
    const { children } = this.#parts;
    const isToCome = (): boolean => child.link === undefined && children.isExpected(child.id);
    return isToCome()
      ? this.#awaited(
          () => (isToCome() ? undefined : child),
          () => child.lostError(),
        )
      : child;
  }

  /** A member that is there soon, or never (W4). */
  #awaited(find: () => Way | undefined, lost: () => MetanodeError): Way {
    const { clock } = this.#parts.means;
    return new Awaited(async ({ deadlineMs, signal }) => {
      const untilMs = Math.min(deadlineMs, clock.now() + GAP_MS);
      for (let found = find(); ; found = find()) {
        if (found !== undefined) return found;
        if (clock.now() >= untilMs) throw lost();
        await wait(clock, GAP_LOOK_MS, signal);
      }
    });
  }

  #handlers(type: string, version: string | undefined): Member[] {
    const found: Member[] = [];
    for (const child of this.#parts.children.list()) {
      const { card } = child.record;
      if (card === undefined || !child.isAdopted) continue;
      if (card.types.some((declared) => isOf(declared, type, version))) found.push(child);
      else if (card.below.some((declared) => isOf(declared, type, version))) found.push(passing(child));
    }
    return found;
  }

  /**
   * Sends a message to a node of which only the id is known: where it was found before, else where a search finds it. From here
   * on it goes by path, so no node on the way searches again. One that has been here and is on its way is waited for a little.
   */
  async #searched(message: Message, context: CallContext): Promise<unknown> {
    const id = String(message.extensions?.[TARGET] ?? "");
    const { clock } = this.#parts.means;
    const untilMs = Math.min(context.deadlineMs, clock.now() + GAP_MS);
    let path = this.#paths.get(id);
    const wasKnown = path !== undefined;
    while (true) {
      path ??= await this.#find(id, context);
      if (path === undefined) {
        if (!wasKnown || clock.now() >= untilMs) return this.#up(id).call(message, context);
      } else {
        try {
          return await this.#sendTo(path, message, context);
        } catch (error) {
          if (!isGone(error, path)) throw error;
          this.#paths.delete(id);
          if (clock.now() >= untilMs) throw error;
          const next = movedTo(error);
          path = next === path ? undefined : next;
        }
      }
      if (path === undefined) await wait(clock, GAP_LOOK_MS);
    }
  }

  /** The path of a node below; messages that ask at a time share one search. */
  #find(id: string, context: CallContext): Promise<string | undefined> {
    let search = this.#searches.get(id);
    if (search === undefined) {
      search = this.#parts.find(id, context).then((path) => {
        if (path === undefined) return path;
        if (this.#paths.size >= REMEMBERED) this.#paths.delete(this.#paths.keys().next().value as string);
        this.#paths.set(id, path);
        return path;
      });
      this.#searches.set(id, search);
      const forget = (): boolean => this.#searches.delete(id);
      search.then(forget, forget);
    }
    return search;
  }

  async #sendTo(path: string, message: Message, context: CallContext): Promise<unknown> {
    const member = this.#byPath(path);
    if (member === undefined) throw notFound(path, "it is this node");
    return member.call({ ...message, extensions: { ...message.extensions, [TARGET]: path } }, context);
  }
}

/** Also of a child whose own children have just moved on: it has nobody for the type any more. */
function isUntouched(error: unknown, type: string): boolean {
  const { code, details } = error as Partial<MetanodeError>;
  return code === "node.maintenance" || code === "node.closed" || (code === "message.unknown_type" && details?.type === type);
}

/** Whether an error says that nobody is at a path any more; a handler may say that something is not found, too. */
function isGone(error: unknown, path: string): boolean {
  const { code, details } = error as Partial<MetanodeError>;
  return code === "tree.moved" || (code === "resource.not_found" && details?.target === path);
}

/** Where a node that has moved on lives, if the error says so. */
function movedTo(error: unknown): string | undefined {
  const path = (error as Partial<MetanodeError>).details?.path;
  return typeof path === "string" ? path : undefined;
}

/** A neighbour, which takes streams as well. */
type Way = Member & Required<Pick<Member, "stream">>;

/** Stands for a neighbour that has yet to come. */
class Awaited implements Way {
  readonly id = "awaited";
  readonly state = "ready";
  readonly inFlight = 0;
  readonly keepsDeadlines = true;
  readonly #way: (context: CallContext) => Promise<Way>;

  constructor(way: (context: CallContext) => Promise<Way>) {
    this.#way = way;
  }

  async call(message: Message, context: CallContext): Promise<unknown> {
    return (await this.#way(context)).call(message, context);
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<unknown> {
    yield* (await this.#way(context)).stream(message, context);
  }
}

/** A child as the way to those below it, which its own maintenance does not stop. */
class Passing implements Member {
  readonly id: string;
  readonly keepsDeadlines = true;
  readonly #child: Child;

  constructor(child: Child) {
    this.id = child.id;
    this.#child = child;
  }

  get state(): MemberState {
    const { state } = this.#child;
    return state === "maintenance" ? "ready" : state;
  }

  get inFlight(): number {
    return this.#child.inFlight;
  }

  call(message: Message, context: CallContext): unknown {
    return this.#child.call(message, context);
  }

  stream(message: Message, context: CallContext): AsyncIterable<unknown> {
    return this.#child.stream(message, context);
  }
}

const ways = new WeakMap<Child, Passing>();

function passing(child: Child): Passing {
  let way = ways.get(child);
  if (way === undefined) {
    way = new Passing(child);
    ways.set(child, way);
  }
  return way;
}

/** Whether `type@version`, which may be a pattern, takes messages of a type. */
function isOf(declared: string, type: string, version: string | undefined): boolean {
  const at = declared.lastIndexOf("@");
  if (version !== undefined && declared.slice(at + 1) !== version) return false;
  const name = declared.slice(0, at);
  return name === type || (isPattern(name) && matchesPattern(parsePattern(name), type));
}

function notFound(target: string, why: string): MetanodeError {
  return coreError("resource.not_found", `node ${target} is not found: ${why}`, { details: { target } });
}

const links = new WeakMap<NodeLink, Way>();

/** The node at the other end of a link, as a member. */
function linkMember(link: NodeLink): Way {
  let member = links.get(link);
  if (member === undefined) {
    const { session, peer } = link;
    member = {
      id: peer.id,
      state: "ready",
      inFlight: 0,
      keepsDeadlines: true,
      call: (message, context) => session.call(message, context),
      stream: (message, context) => session.stream(message, context),
    };
    links.set(link, member);
  }
  return member;
}
