import { coreError } from "../errors.ts";
import type { Authority } from "../trust/authority.ts";
import type { Certificates } from "./certificates.ts";
import type { Children } from "./children.ts";
import { type NodeLink, STEP } from "./node-link.ts";
import type { Dial } from "./ownership.ts";
import type { Upward } from "./upward.ts";

export interface EnrolmentParts {
  readonly certificates: Certificates;
  readonly upward: Upward;
  readonly children: Children;
  readonly report: (kind: "enrolled" | "refused", text: string) => void;
}

/** Sees to it that manager and children have certificates, both those of this node and this one those of theirs. */
export class Enrolment {
  readonly #parts: EnrolmentParts;

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
  }

  /** Begins with a new authority; whoever has dialled this node gets a new certificate over its link, and no link ends. */
  async rotate(): Promise<void> {
    await this.#authority().rotate();
  }

  /** Trusts the newest authority alone: a node that has not been here since the last rotation has to come with a token. */
  retire(): void {
    this.#authority().retire();
  }

  /** Everybody who has dialled this node is to get a certificate of the authority that signs now. */
  tellRenew(): void {
    const { children, upward } = this.#parts;
    for (const { link, record } of children.list()) if (record.dial === undefined) link?.tell(STEP.renew, {});
    const { link, ownership } = upward;
    if (link !== undefined && ownership.owner?.dial === undefined) link.tell(STEP.renew, {});
  }

  /** Gets a certificate for a link that was dialled from here, and keeps it. What fails is tried again with the next link. */
  async enrol(link: NodeLink, dial: Dial, isForced = false): Promise<void> {
    const { certificates, upward, children, report } = this.#parts;
    try {
      const next = await certificates.enrol(link, dial, isForced);
      if (next === undefined) return;
      if (link.peer.role === "parent") upward.ownership.setDial(next);
      else {
        const child = children.get(link.peer.id);
        if (child !== undefined) children.put({ ...child.record, dial: next });
      }
      report("enrolled", `got a certificate of ${link.peer.name}`);
    } catch (error) {
      report("refused", `no certificate came from ${link.peer.name}: ${(error as Error).message}`);
    }
  }

  /** The node at the other end wants this one to come for a new certificate. */
  async renew(link: NodeLink): Promise<void> {
    const { upward, children } = this.#parts;
    const isParent = link.peer.role === "parent";
    const dial = isParent ? upward.ownership.owner?.dial : children.get(link.peer.id)?.record.dial;
    if (dial !== undefined) await this.enrol(link, dial, true);
  }

  #authority(): Authority {
    const { authority } = this.#parts.certificates;
    if (authority !== undefined) return authority;
    throw coreError("call.unsupported", "this node has plain links, so there is no authority");
  }
}
