import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Timer } from "@metanode/core/clock";
import { coreError, MetanodeError } from "@metanode/core/errors";
import { type ActorErrorCode, actorError } from "../errors.ts";
import type { Tables } from "../runtime/tables.ts";
import type { Link } from "./link.ts";
import type { NetworkSettings, NodeFlags } from "./options.ts";

/** Versions of what kernels say to each other that this code speaks. */
const VERSION = { min: 1, max: 1 } as const;
const MAGIC = "metanode-actors";
const NAME = /^[^@]+@[^@]+$/;
/** A greeting has a few hundred bytes; nobody is to be made to read more before he knows who speaks. */
const MAX_GREETING_BYTES = 16 * 1024;
/** How long both sides may take to know each other. */
export const HANDSHAKE_MS = 5_000;

/** What a kernel says of itself. */
export interface Hello {
  readonly node: string;
  readonly creation: number;
  readonly flags: NodeFlags;
  readonly maxMessageBytes: number;
}

interface HelloText extends Hello {
  readonly magic: string;
  readonly versions: { readonly min: number; readonly max: number };
  readonly nonce: string;
  readonly hasCookie: boolean;
}

/** Why a link is not used: `isDuplicate` = both kernels have another one already. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly isDuplicate: boolean;
}

/** What the handshake asks of its kernel. */
export interface HandshakeEvents {
  /** Whether a node may come in; `decides` says whether this side has the last word. */
  admit(peer: Hello, decides: boolean): Promise<Refusal | undefined>;
  /** Whether the node was connected by another link since it was admitted. */
  isTaken(peer: Hello): boolean;
  /** Both sides know each other. The listener of the link is set before this returns. */
  onReady(peer: Hello): void;
  /** There will be no connection over this link, which is closed. */
  onFailed(error: Error, isDuplicate: boolean, peer: Hello | undefined): void;
}

type Step = "hello" | "proof" | "admitting" | "ready" | "welcome" | "done";

/**
 * How two kernels get to know each other over a new link; neither is the one who dialled.
 *
 *  H1. Both say `hello`, then both prove that they have the cookie: a MAC over both greetings, the own one first, so that
 *      none can be given back to whom it came from.
 *  H2. The kernel with the lesser name decides. The other one says `ready` when it has nothing against the connection; then
 *      the decider says `welcome` or refuses. So of two links between the same kernels both use the same one.
 *  H3. The first batch after `welcome` is one of frames, in either direction.
 */
export class Handshake {
  readonly #tables: Tables;
  readonly #settings: NetworkSettings;
  readonly #link: Link;
  readonly #events: HandshakeEvents;
  readonly #hello: HelloText;
  readonly #helloText: string;
  readonly #timer: Timer;
  #step: Step = "hello";
  #peer: HelloText | undefined;
  #peerText = "";

  constructor(tables: Tables, settings: NetworkSettings, link: Link, events: HandshakeEvents) {
    this.#tables = tables;
    this.#settings = settings;
    this.#link = link;
    this.#events = events;
    this.#hello = {
      magic: MAGIC,
      versions: VERSION,
      node: tables.node,
      creation: tables.creation,
      flags: settings.flags,
      maxMessageBytes: settings.maxMessageBytes,
      nonce: randomBytes(32).toString("base64"),
      hasCookie: settings.cookie !== undefined,
    };
    this.#helloText = JSON.stringify(this.#hello);
    this.#timer = tables.clock.setTimer(HANDSHAKE_MS, () =>
      this.#fail(actorError("actor.timeout", `the other side did not greet within ${HANDSHAKE_MS} ms`)),
    );
  }

  start(): void {
    // First, because what the other side has said already is heard within `listen`.
    this.#say(this.#helloText);
    this.#link.listen({
      onBatch: (batch) => this.#hear(batch),
      onDrain: () => undefined,
      onClosed: (error) =>
        this.#fail(error ?? actorError("actor.no_connection", "the other side ended the link in the greeting")),
    });
  }

  /** Gives the link up. */
  cancel(error: Error): void {
    this.#fail(error);
  }

  #hear(batch: Uint8Array): void {
    if (this.#step === "done") return;
    try {
      if (batch.byteLength > MAX_GREETING_BYTES) throw unexpected("a greeting");
      this.#next(Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength).toString("utf8"));
    } catch (error) {
      this.#refuse(error as Error);
    }
  }

  #next(text: string): void {
    const said = read(text);
    if (isRefusal(said)) {
      this.#fail(new MetanodeError(said.refused.code, said.refused.message, { origin: this.#origin }), said.refused.isDuplicate);
      return;
    }
    switch (this.#step) {
      case "hello":
        this.#peer = checkHello(said, this.#tables.node);
        this.#peerText = text;
        this.#checkCookies(this.#peer);
        this.#step = "proof";
        this.#say(JSON.stringify({ proof: this.#proof(this.#helloText, text) }));
        return;
      case "proof":
        this.#checkProof(said);
        if (this.#decides) this.#step = "ready";
        else this.#admit("welcome", { ready: true });
        return;
      case "ready":
        if (!hasWord(said, "ready")) throw unexpected("ready");
        this.#admit("done", { welcome: true });
        return;
      case "welcome":
        if (!hasWord(said, "welcome")) throw unexpected("welcome");
        this.#finish();
        return;
      default:
        throw unexpected("nothing");
    }
  }

  get #decides(): boolean {
    return this.#tables.node < (this.#peer as HelloText).node;
  }

  get #origin(): string[] {
    return this.#peer === undefined ? [] : [this.#peer.node];
  }

  #admit(next: "welcome" | "done", word: object): void {
    this.#step = "admitting";
    this.#events.admit(this.#peer as Hello, next === "done").then(
      (refusal) => {
        if (this.#step !== "admitting") return;
        if (refusal !== undefined) {
          this.#refuse(new MetanodeError(refusal.code, refusal.message), refusal.isDuplicate);
          return;
        }
        if (next === "done" && this.#events.isTaken(this.#peer as Hello)) {
          this.#admit(next, word);
          return;
        }
        this.#say(JSON.stringify(word));
        if (next === "done") this.#finish();
        else this.#step = "welcome";
      },
      (error: Error) => this.#fail(error),
    );
  }

  #finish(): void {
    this.#step = "done";
    this.#timer.cancel();
    this.#events.onReady(this.#peer as Hello);
  }

  #refuse(error: Error, isDuplicate = false): void {
    const { code = "core.internal", message } = error as Partial<MetanodeError> & Error;
    this.#say(JSON.stringify({ refused: { code, message, isDuplicate } satisfies Refusal }));
    this.#fail(error, isDuplicate);
  }

  #fail(error: Error, isDuplicate = false): void {
    if (this.#step === "done") return;
    this.#step = "done";
    this.#timer.cancel();
    this.#link.close();
    this.#events.onFailed(error, isDuplicate, this.#peer);
  }

  #say(text: string): void {
    this.#link.send(Buffer.from(text));
  }

  #checkCookies(peer: HelloText): void {
    const { cookie } = this.#settings;
    if (cookie === undefined && !this.#link.isTrusted) {
      throw coreError(
        "auth.unauthenticated",
        "this link is open to others, and the kernel has no cookie; set network.cookie to the same secret on both sides",
      );
    }
    if (peer.hasCookie !== (cookie !== undefined)) {
      throw coreError("auth.unauthenticated", "one of both kernels has a cookie and the other has none");
    }
  }

  #proof(first: string, second: string): string {
    const { cookie } = this.#settings;
    if (cookie === undefined) return "";
    return createHmac("sha256", cookie).update(`${first.length}\n${first}\n${second}`).digest("base64");
  }

  #checkProof(said: object): void {
    const given = "proof" in said && typeof said.proof === "string" ? said.proof : undefined;
    if (given === undefined) throw unexpected("proof");
    const right = Buffer.from(this.#proof(this.#peerText, this.#helloText));
    const theirs = Buffer.from(given);
    if (right.byteLength !== theirs.byteLength || !timingSafeEqual(right, theirs)) {
      throw coreError("auth.unauthenticated", "the kernels have different cookies");
    }
  }
}

/** A refusal of this package. */
export function refusal(code: ActorErrorCode, message: string, isDuplicate = false): Refusal {
  return { code, message, isDuplicate };
}

function read(text: string): object {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    // Told below.
  }
  if (typeof said !== "object" || said === null) throw unexpected("greeting");
  return said;
}

function isRefusal(said: object): said is { refused: Refusal } {
  if (!("refused" in said)) return false;
  const { refused } = said as { refused: Partial<Refusal> | null };
  return typeof refused?.code === "string" && typeof refused.message === "string";
}

function hasWord(said: object, word: string): boolean {
  return word in said;
}

function checkHello(said: object, own: string): HelloText {
  const hello = said as Partial<HelloText>;
  const { versions, node, creation, flags, maxMessageBytes, nonce } = hello;
  if (hello.magic !== MAGIC || typeof versions?.min !== "number" || typeof versions.max !== "number") throw unexpected("hello");
  if (versions.min > VERSION.max || versions.max < VERSION.min) {
    throw coreError(
      "protocol.version",
      `the other kernel speaks versions ${versions.min} to ${versions.max}, this one ${VERSION.min} to ${VERSION.max}; use a matching release`,
    );
  }
  if (typeof node !== "string" || !NAME.test(node) || Buffer.byteLength(node) > 255) throw unexpected("hello with a name@host");
  if (node === own) throw actorError("actor.name_taken", `both kernels are named ${own}`);
  if (!Number.isSafeInteger(creation) || !Number.isSafeInteger(maxMessageBytes) || typeof nonce !== "string" || !isFlags(flags)) {
    throw unexpected("hello");
  }
  return hello as HelloText;
}

function isFlags(flags: unknown): flags is NodeFlags {
  if (typeof flags !== "object" || flags === null) return false;
  const { spawn, applicationStart, importantDelivery } = flags as Partial<NodeFlags>;
  return [spawn, applicationStart, importantDelivery].every((flag) => typeof flag === "boolean");
}

function unexpected(what: string): Error {
  return actorError("actor.malformed", `the other side is no kernel, or greets wrongly: expected ${what}`);
}
