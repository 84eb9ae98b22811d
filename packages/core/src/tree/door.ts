import { coreError, type MetanodeError } from "../errors.ts";
import type { Channel } from "../link/channel.ts";
import type { Hello } from "../link/frames.ts";
import { receive } from "../link/handshake.ts";
import type { Adoptions } from "./adoption.ts";
import type { Certificates } from "./certificates.ts";
import type { Children } from "./children.ts";
import type { TreeMeans } from "./means.ts";
import { isPurpose, type LinkOwner, NodeLink, type Purpose, welcomeOf } from "./node-link.ts";
import type { TokenBook } from "./tokens.ts";
import type { Upward } from "./upward.ts";
import type { Ward } from "./ward.ts";

export interface DoorParts {
  readonly means: TreeMeans;
  readonly tokens: TokenBook;
  readonly children: Children;
  readonly adoptions: Adoptions;
  readonly upward: Upward;
  readonly links: LinkOwner;
  readonly certificates: Certificates;
  readonly ward: Ward;
  /** Whether this node adopts at all. */
  readonly manages: boolean;
}

/** Nodes that may wait for approval at a time. */
const MAX_PENDING = 64;

interface Visitor {
  readonly id: string;
  readonly name: string;
  readonly purpose: Purpose;
  /** Came with a token, so nobody has to approve. */
  readonly isApproved: boolean;
}

/** The entrance for other nodes. Whoever has neither token nor key nor patience is refused before anything else is read. */
export class Door {
  readonly #parts: DoorParts;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  async admit(channel: Channel): Promise<void> {
    const { means, links } = this.#parts;
    let visitor: Visitor | undefined;
    try {
      const { channel: next, greeting } = await receive(
        channel,
        (hello) => {
          visitor = this.#check(hello, channel.shown?.certificate);
          return welcomeOf(means);
        },
        { clock: means.clock, timeoutMs: means.times.stepMs, versions: means.transport.versions },
      );
      const { id, name, purpose } = visitor as Visitor;
      const role = purpose === "adopt" || purpose === "attach-parent" ? "parent" : "child";
      const link = new NodeLink(next, { id, name, role }, { means, owner: links, concurrency: greeting.concurrency });
      link.isOutdated = this.#parts.certificates.isOutdated(channel.shown?.certificate);
      await this.#go(visitor as Visitor, link);
    } catch (error) {
      const { message } = error as MetanodeError;
      means.report({ kind: "refused", node: visitor?.id ?? "", path: "", epoch: 0, text: `a visitor was refused: ${message}` });
    }
  }

  #check({ nodeId: id = "", name, purpose, secret = "" }: Hello, certificate: Uint8Array | undefined): Visitor {
    const { means, tokens, children, upward, manages, certificates, ward } = this.#parts;
    if (!isPurpose(purpose) || id === "")
      throw coreError("processor.protocol", "the visitor is no node, or a node of another release");
    if (id === means.identity.id) throw coreError("tree.cycle", "a node cannot adopt itself");
    const isChild = purpose !== "adopt" && purpose !== "attach-parent";
    if (isChild && !manages) throw coreError("call.unsupported", `${means.identity.name} manages no nodes`);
    certificates.check(id, certificate, purpose !== "attach-child" && purpose !== "attach-parent");
    if (purpose === "attach-child") children.admit(id, secret);
    else if (purpose === "attach-parent") upward.admitOwner(id, secret);
    else if (purpose === "succeed") ward.admit({ id, name, key: secret });
    else if (purpose === "adopt") tokens.redeem(secret, "adopt", id);
    else if (secret !== "") tokens.redeem(secret, "join", id);
    else this.#mayWait();
    return { id, name, purpose, isApproved: secret !== "" };
  }

  #mayWait(): void {
    const waiting = this.#parts.children.list().filter(({ record }) => record.state === "pending").length;
    if (waiting < MAX_PENDING) return;
    throw coreError("call.resource_exhausted", `${waiting} nodes wait for approval already; come with a token, or later`);
  }

  async #go({ id, purpose, isApproved }: Visitor, link: NodeLink): Promise<void> {
    const { children, adoptions } = this.#parts;
    if (purpose === "attach-child" || purpose === "succeed") return children.attach(link);
    if (purpose !== "join" && purpose !== "move") return; // the manager speaks first
    const known = children.get(id);
    const isFree = known === undefined || known.record.state === "pending";
    if (!isApproved && isFree) return void adoptions.offer(link);
    try {
      if (!isApproved || (known?.link !== undefined && known.record.state === "managed")) {
        throw coreError(
          "tree.already_managed",
          "a node of this id is managed here already; attach with its key, or release it first",
        );
      }
      await adoptions.adopt(link, { isFresh: true, isMove: purpose === "move" });
    } catch (error) {
      link.session.close(error as MetanodeError);
      throw error;
    }
  }
}
