import type { Channel } from "../link/channel.ts";
import type { LinkServer } from "../link/transport.ts";
import type { Certificates } from "./certificates.ts";
import type { TreeMeans } from "./means.ts";

/** Where a node can be reached, and by which authority it is known. */
export interface Reach {
  readonly address: string;
  /** Absent over plain links. */
  readonly fingerprint?: string | undefined;
}

export interface EntranceParts {
  readonly means: TreeMeans;
  readonly certificates: Certificates;
  /** Whether links have certificates. */
  readonly tls: "auto" | boolean;
  /** Somebody comes. */
  readonly onChannel: (channel: Channel) => void;
  /** Whoever has dialled this node needs a new certificate. */
  readonly onRenew: () => void;
}

const LISTENS = "listens";

/** Where a node listens that was told nothing, from the first time that somebody is to come: for one machine. */
const ANY_PORT = "127.0.0.1:0";

/** Where other nodes come to this one. */
export class Entrance {
  readonly #parts: EntranceParts;
  #server: LinkServer | undefined;
  #opening: Promise<void> | undefined;
  #address: string | undefined;
  /** The address that was found when somebody was to come; kept, because nodes dial it again. */
  #found: string | undefined;

  constructor(parts: EntranceParts, records: ReadonlyMap<string, unknown>) {
    this.#parts = parts;
    this.#found = records.get(LISTENS) as string | undefined;
  }

  /** Where other nodes can dial it. */
  get address(): string | undefined {
    return this.#address;
  }

  /** Listens, if an address is given or one was found before. @throws {MetanodeError} node.port_in_use */
  async open(listen?: { readonly address: string; readonly advertise?: string | undefined }): Promise<void> {
    if (listen !== undefined) await this.#listen(listen.address, listen.advertise);
    else if (this.#found !== undefined) await this.#listen(this.#found);
  }

  /** Where others reach this node, which begins to listen on this machine if it does not yet. */
  async reach(): Promise<Reach> {
    if (this.#address === undefined) {
      this.#opening ??= this.#listen(ANY_PORT);
      await this.#opening;
      this.#found = this.#address;
      this.#parts.means.store.put(LISTENS, this.#found);
    }
    return { address: this.#address ?? "", fingerprint: this.#parts.certificates.authority?.fingerprint };
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #listen(address: string, advertise?: string): Promise<void> {
    const { means, certificates, tls, onChannel, onRenew } = this.#parts;
    const { transport } = means;
    const isCertified = tls === "auto" ? (transport.requiresTls?.(address) ?? false) : tls;
    const authority = isCertified ? await certificates.open() : undefined;
    authority?.onChange(onRenew);
    this.#server = await transport.listen(address, onChannel, authority);
    this.#address = advertise ?? this.#server.address;
  }
}
