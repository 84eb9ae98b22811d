import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { MetanodeError } from "../../src/errors.ts";
import { dialLink, openLinkServer } from "../../src/link/grpc.ts";
import { Session } from "../../src/link/session.ts";
import type { ClientTls } from "../../src/link/tls.ts";
import type { LinkServer } from "../../src/link/transport.ts";
import { createMessage } from "../../src/message/message.ts";
import type { Authority } from "../../src/trust/authority.ts";
import { makeKeys } from "../../src/trust/issue.ts";
import { errorOf, until } from "../fixtures/until.ts";
import { authorityOf, credentialOf, echo } from "./trusting.ts";

const DIALLERS = 5;
/** Calls that every dialler has answered before the next thing happens. */
const CALLS = 200;

const common = { clock: systemClock, lostCode: "node.unreachable" as const, concurrency: 64 };
const deadline = (): { deadlineMs: number } => ({ deadlineMs: systemClock.now() + 20_000 });

/** A node that listens: it says whom it takes the other side for, and gives new certificates over links that stand. */
function listenAs(authority: Authority): Promise<LinkServer> {
  return openLinkServer(
    "127.0.0.1:0",
    (channel) => {
      try {
        const id = authority.verify(channel.shown?.certificate ?? new Uint8Array());
        new Session({
          ...common,
          channel,
          peer: id,
          handler: async ({ type, data }) =>
            type === "renew"
              ? { cert: await authority.issue(id, (data as { publicKey: string }).publicKey), bundle: authority.bundle }
              : id,
        });
      } catch (error) {
        channel.close(error as MetanodeError);
      }
    },
    authority,
  );
}

/** A node that dials, and calls one time after the other, over whatever link is the newest. */
class Dialler {
  readonly errors: unknown[] = [];
  answered = 0;
  tls: ClientTls;
  readonly #address: string;
  readonly #id: string;
  #session: Session;
  #isStopped = false;
  #running: Promise<void>;

  constructor(address: string, id: string, tls: ClientTls) {
    this.#address = address;
    this.#id = id;
    this.tls = tls;
    this.#session = this.#dial();
    this.#running = this.#run();
  }

  #dial(): Session {
    return new Session({ ...common, channel: dialLink(this.#address, this.tls), peer: "root", handler: () => "nobody asks" });
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const id = await this.#session.call(createMessage({ type: "job" }, "/test"), deadline());
        if (id === this.#id) this.answered++;
        else this.errors.push(`it was taken for ${id}`);
      } catch (error) {
        this.errors.push(error);
      }
    }
  }

  async goOn(): Promise<void> {
    const goal = this.answered + CALLS;
    await until(`${CALLS} more calls are answered`, () => this.answered >= goal || this.errors.length > 0);
  }

  async renew(): Promise<void> {
    const { privateKey, publicKey } = await makeKeys();
    const answer = await this.#session.call(createMessage({ type: "renew", data: { publicKey } }, "/test"), deadline());
    this.tls = { ...(answer as { cert: string; bundle: string }), key: privateKey };
  }

  /** Takes a new link, and ends the old one when nothing is under way on it. */
  async redial(): Promise<void> {
    const old = this.#session;
    const next = this.#dial();
    await next.call(createMessage({ type: "job" }, "/test"), deadline());
    this.#session = next;
    await until("nothing is under way on the old link", () => old.openCalls === 0);
    old.close();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    this.#session.close();
  }
}

describe("a change of the authority under load", () => {
  test("M-70: five nodes call all the while, dial before and after they renew, and nobody sees an error", async () => {
    const authority = await authorityOf("root");
    const server = await listenAs(authority);
    const first = { bundle: authority.bundle, ...(await credentialOf(authority, "node-0")) };
    const diallers = await Promise.all(
      Array.from({ length: DIALLERS }, async (_, n) => {
        const id = `node-${n}`;
        return new Dialler(server.address, id, { bundle: authority.bundle, ...(await credentialOf(authority, id)) });
      }),
    );
    const all = (work: (dialler: Dialler) => Promise<void>): Promise<unknown> => Promise.all(diallers.map(work));
    const startMs = performance.now();
    await all((one) => one.goOn());
    await authority.rotate();
    await all((one) => one.redial()); // nobody has heard of it yet
    await all((one) => one.goOn());
    await all((one) => one.renew());
    await all((one) => one.redial()); // both are trusted, both ways
    await all((one) => one.goOn());
    authority.retire();
    await all((one) => one.goOn()); // links that stand are not ended
    await all((one) => one.renew());
    await all((one) => one.redial()); // the new one alone
    await all((one) => one.goOn());
    const seconds = (performance.now() - startMs) / 1_000;
    await all((one) => one.stop());
    expect(diallers.flatMap(({ errors }) => errors)).toEqual([]);
    const answered = diallers.reduce((sum, one) => sum + one.answered, 0);
    expect(answered / seconds).toBeGreaterThan(200);
    // What the old one signed is of no use any more, either way.
    const { bundle } = authority;
    expect(await errorOf(echo(server.address, first))).toMatchObject({ code: "auth.unauthenticated" });
    expect(await errorOf(echo(server.address, { ...first, bundle }))).toMatchObject({ code: "auth.unauthenticated" });
    await server.close();
    authority.close();
  });
});
