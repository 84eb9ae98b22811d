import { actorError } from "../errors.ts";
import { type Alias, EventName, type PID, ProcessName, Ref } from "../identity/index.ts";
import { Envelope, type MessageEvent, type Priority } from "../mailbox/index.ts";
import type { Pending } from "../process/pending.ts";
import { deliver, exitFrom, missing, undeliverable } from "../runtime/deliver.ts";
import type { FarTarget, Problem } from "../runtime/network.ts";
import type { Tables } from "../runtime/tables.ts";
import { attach, eventOf } from "../runtime/watch.ts";
import { decode, reasonOf } from "./codec/decode.ts";
import { malformed, type Reader } from "./codec/reader.ts";
import { FarCaller } from "./far-caller.ts";
import { FarWatcher } from "./far-watcher.ts";
import { ANSWER, FRAME, IMPORTANT, KIND_MASK, PRIORITIES, PRIORITY_SHIFT } from "./frames.ts";
import type { NetworkSettings } from "./options.ts";
import { readPayload } from "./payload.ts";
import type { Peer } from "./peer.ts";
import type { StartFrame } from "./spawns.ts";

/** What the receiving side needs of the network. */
export interface Receiving {
  readonly tables: Tables;
  readonly settings: NetworkSettings;
  /** Requests of this node whose refs have left it. */
  readonly abroad: ReadonlyMap<number, Pending>;
  /** Answers a request of any node. */
  answer(to: PID, ref: Ref, answer: { value: unknown } | { error: Error }): void;
  /** Somebody on the node of `peer` wants a process, or an application, of this one. Answers by itself. */
  start(peer: Peer, start: StartFrame): void;
}

type Answer = { value: unknown } | { error: Error };

/**
 * What other nodes say. Frames are read to their end before anything is done, so that the next one is found whatever
 * becomes of this one. A frame that breaks the rules throws `actor.malformed`, which ends the connection.
 */
export class Receiver {
  readonly #network: Receiving;
  readonly #tables: Tables;
  readonly #maxBytes: number;

  constructor(network: Receiving) {
    this.#network = network;
    this.#tables = network.tables;
    this.#maxBytes = network.settings.maxMessageBytes;
  }

  frame(peer: Peer, r: Reader): void {
    const head = r.byte();
    switch (head & KIND_MASK) {
      case FRAME.send:
        this.#send(peer, r, head);
        return;
      case FRAME.call:
        this.#call(peer, r, head);
        return;
      case FRAME.answer:
        this.#answer(peer, r, head);
        return;
      case FRAME.event:
        this.#event(peer, r, head);
        return;
      case FRAME.exit:
        this.#exit(r);
        return;
      default:
        this.#relation(peer, r, head);
    }
  }

  #relation(peer: Peer, r: Reader, head: number): void {
    switch (head) {
      case FRAME.watch:
        this.#watch(peer, r);
        return;
      case FRAME.subscribe:
        this.#subscribe(peer, r);
        return;
      case FRAME.unwatch: {
        const number = r.uint();
        peer.watchers.get(number)?.end();
        peer.watchers.delete(number);
        return;
      }
      case FRAME.ended: {
        const number = r.uint();
        const owner = r.pid();
        peer.watches.ended(number, owner, reasonOf(decode(r)));
        return;
      }
      case FRAME.spawn:
      case FRAME.application: {
        const start = { kind: head, ref: r.ref(), from: r.pid(), name: r.key(), watch: r.uint() };
        const options = readPayload(r, this.#maxBytes);
        if (r.fault !== undefined) this.#reply(peer, start.ref, { error: r.fault });
        else this.#network.start(peer, { ...start, options });
        return;
      }
      case FRAME.ping:
        peer.sender.pong();
        return;
      case FRAME.pong:
        return;
      default:
        throw malformed(`there is no kind of frame ${head}`);
    }
  }

  #send(peer: Peer, r: Reader, head: number): void {
    const from = r.pid();
    const to = targetOf(r.address());
    const confirm = head & IMPORTANT ? r.ref() : undefined;
    const message = readPayload(r, this.#maxBytes);
    const problem = r.fault ?? this.#deliver(from, to, message, priorityOf(head), confirm !== undefined);
    if (confirm === undefined) {
      if (problem instanceof Error) this.#lose(from, to, problem);
    } else if (problem === undefined) this.#reply(peer, confirm, { value: undefined });
    else this.#reply(peer, confirm, { error: undeliverable(problem, to) });
  }

  #deliver(from: PID, to: FarTarget, message: unknown, priority: Priority, isImportant: boolean): Problem | undefined {
    if (isImportant && !this.#network.settings.flags.importantDelivery) return "actor.unsupported";
    return this.#stranger(to) ?? deliver(this.#tables, from, to as PID, message, priority);
  }

  #call(peer: Peer, r: Reader, head: number): void {
    const from = r.pid();
    const to = targetOf(r.address());
    const ref = r.ref();
    const request = readPayload(r, this.#maxBytes);
    const isImportant = (head & IMPORTANT) !== 0;
    const isRefused = isImportant && !this.#network.settings.flags.importantDelivery;
    const problem = r.fault ?? (isRefused ? "actor.unsupported" : this.#stranger(to));
    if (problem !== undefined) {
      this.#network.answer(from, ref, { error: undeliverable(problem, to as PID) });
      return;
    }
    const tables = this.#tables;
    const target = tables.find(to as PID);
    if (target !== undefined) {
      if (!tables.isHere(ref.node)) new FarCaller(from, ref, peer, this.#network.answer);
      if (target.put(priorityOf(head), undefined, new Envelope("call", from, request, ref, to as PID))) return;
      Ref.bind(ref, undefined);
    }
    if (!isImportant) return;
    const code = target === undefined ? missing(tables, to as PID) : target.fullCode;
    this.#network.answer(from, ref, { error: undeliverable(code, to as PID) });
  }

  #answer(peer: Peer, r: Reader, head: number): void {
    const to = r.pid();
    const ref = r.ref();
    const confirm = head & IMPORTANT ? r.ref() : undefined;
    const what = r.byte();
    const value = what === ANSWER.nothing ? undefined : readPayload(r, this.#maxBytes);
    const fault = what === ANSWER.nothing ? undefined : r.fault;
    const { tables, abroad } = this.#network;
    const pending = ref.node === tables.node && ref.creation === tables.creation ? abroad.get(ref.id) : undefined;
    if (pending !== undefined) {
      if (fault !== undefined) pending.fail(fault);
      else if (what === ANSWER.error) pending.fail(errorOf(value));
      else pending.answer(value);
    }
    if (confirm === undefined) return;
    const isThere = to.id === tables.core.id || tables.byPid(to) !== undefined;
    if (pending !== undefined) this.#reply(peer, confirm, { value: undefined });
    else if (isThere) this.#reply(peer, confirm, { error: actorError("actor.response_ignored") });
    else this.#reply(peer, confirm, { error: undeliverable(this.#stranger(to) ?? "actor.process_unknown", to) });
  }

  #event(peer: Peer, r: Reader, head: number): void {
    const number = r.uint();
    const from = r.pid();
    const timeMs = r.double();
    const message = readPayload(r, this.#maxBytes);
    if (r.fault === undefined) peer.watches.published(number, from, priorityOf(head), { timeMs, message });
    else this.#lose(from, from, r.fault);
  }

  #exit(r: Reader): void {
    const from = r.pid();
    const to = r.pid();
    const reason = reasonOf(decode(r));
    if (this.#stranger(to) === undefined) exitFrom(this.#tables, from, to, reason);
  }

  #watch(peer: Peer, r: Reader): void {
    const ref = r.ref();
    const number = r.uint();
    const to = targetOf(r.address());
    const problem = this.#stranger(to);
    this.#begin(peer, ref, number, (watcher) => {
      if (problem !== undefined) throw undeliverable(problem, to as PID);
      attach(this.#tables, watcher, "monitor", to as PID);
      return undefined;
    });
  }

  #subscribe(peer: Peer, r: Reader): void {
    const ref = r.ref();
    const number = r.uint();
    const name = r.key();
    this.#begin(peer, ref, number, (watcher) => {
      const entry = eventOf(this.#tables, name);
      entry.subscribers.add("monitor", watcher, entry.name);
      return { events: entry.buffered(), bufferLimit: entry.bufferLimit };
    });
  }

  #begin(peer: Peer, ref: Ref, number: number, add: (watcher: FarWatcher) => unknown): void {
    const watcher = this.watcher(peer, number);
    let answer: Answer;
    try {
      answer = { value: add(watcher) };
      peer.watchers.set(number, watcher);
    } catch (error) {
      answer = { error: error as Error };
    }
    this.#reply(peer, ref, answer);
  }

  /** The node of `peer` as a consumer of this node. */
  watcher(peer: Peer, number: number): FarWatcher {
    return new FarWatcher(number, {
      onEnded: (watch, owner, reason) => {
        peer.watchers.delete(watch);
        peer.sender.ended(watch, owner, reason);
      },
      onEvent: (watch, queue, from, event: MessageEvent) => {
        const problem = peer.sender.event(watch, queue, from, event);
        if (problem instanceof Error) this.#lose(from, from, problem);
        return problem === undefined;
      },
    });
  }

  /** Answers the node of `peer` itself; there is nobody to tell if that cannot be. */
  #reply(peer: Peer, ref: Ref, answer: Answer): void {
    peer.sender.answer({ to: this.#tables.core, ref, answer, confirm: undefined, compression: undefined });
  }

  /** What is wrong with a target by its address alone: it is of another node, or of another life of this one. */
  #stranger(to: FarTarget): Problem | undefined {
    if (!this.#tables.isHere(to.node)) return "actor.process_unknown";
    return to instanceof ProcessName || to.creation === this.#tables.creation ? undefined : "actor.incarnation";
  }

  #lose(from: PID, to: FarTarget, error: Error): void {
    this.#tables.report({ kind: "undelivered", pid: this.#tables.core, text: `mail from ${from} to ${to} is lost`, error });
  }
}

function targetOf(address: PID | ProcessName | Alias | EventName): FarTarget {
  if (address instanceof EventName) throw malformed("mail to an event");
  return address;
}

function priorityOf(head: number): Priority {
  const priority = PRIORITIES[(head >> PRIORITY_SHIFT) & 3];
  if (priority === undefined) throw malformed("there is no such priority");
  return priority;
}

function errorOf(value: unknown): Error {
  if (!(value instanceof Error)) throw malformed("an error was expected");
  return value;
}
