import { wait } from "@metanode/core/clock";
import { asMetanodeError, type Router } from "@metanode/core/internal";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { streamError } from "../errors.ts";
import type { SourceHost } from "../stage/stage.ts";
import { COMMIT_TYPE, farNode, isOfNode, READ_TYPE, readRead, type SourceKey, sourceMessage } from "./placed-wire.ts";
import { type Place, Places } from "./places.ts";

/*
 * A source that is read on another node.
 *
 * P2. It stays with the node that its first records came from, because a position means something only there; it is named in every
 *     position. While that node is away, the graph waits for it, also after a restart.
 * P3. When the link breaks, it is read on behind the last records that came, whether they are through here or not.
 */

/** Pause before a source that did not answer is asked again. */
const AGAIN_MS = 500;

/** The source of a node that says on which nodes of the tree it runs. */
export function placedSource(router: Router, on: string): (host: SourceHost) => Source {
  return (host) => new PlacedSource(host, router, on);
}

class PlacedSource implements Source {
  readonly #host: SourceHost;
  readonly #router: Router;
  readonly #on: string;
  readonly #key: SourceKey;
  #place: Place | undefined;

  constructor(host: SourceHost, router: Router, on: string) {
    const { graph, node, epoch } = host;
    this.#host = host;
    this.#router = router;
    this.#on = on;
    this.#key = { graph, node: farNode(node), epoch };
  }

  async *read({ position, sequence, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
    const { clock, log } = this.#host;
    const places = new Places({
      ...{ router: this.#router, clock, type: READ_TYPE, on: this.#on, hosts: [], signal },
      log: log.bind(this.#host),
    });
    let at = position === undefined ? undefined : readPosition(position);
    let given = sequence;
    const avoided = new Set<string>();
    while (!signal.aborted) {
      try {
        const place = await (at === undefined ? places.choose(avoided, undefined) : places.find(at.id));
        this.#moveTo(place);
        const from = at === undefined ? {} : { position: at.position };
        const message = sourceMessage(READ_TYPE, { ...this.#key, ...from, sequence: given }, place.path);
        for await (const item of this.#router.stream(message, { timeoutMs: Number.POSITIVE_INFINITY, signal })) {
          const { content, position: behind } = readRead(item);
          at = { id: place.id, position: behind };
          given += "block" in content ? content.block.count : content.records.length;
          yield { ...content, position: JSON.stringify(at) };
        }
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isOfNode(error)) throw error;
        this.#failed(error, avoided);
        places.forget();
        await wait(clock, AGAIN_MS, signal).catch(() => undefined);
      }
    }
  }

  #moveTo(place: Place): void {
    if (this.#place?.id !== place.id) this.#host.log("info", `it is read on ${place.path}`);
    this.#place = place;
  }

  #failed(error: unknown, avoided: Set<string>): void {
    const { code, message } = asMetanodeError(error);
    const path = this.#place?.path ?? "the tree";
    this.#host.log("warn", `${path} gives no records (${code}: ${message}); it is asked again`);
    this.#host.count("retries");
    avoided.add(path);
  }

  /** Told to the node; one that is away learns it from the position at which it is read on. */
  async commit(position: string): Promise<void> {
    const { id, position: through } = readPosition(position);
    if (this.#place?.id !== id) return;
    const message = sourceMessage(COMMIT_TYPE, { ...this.#key, position: through }, this.#place.path);
    await this.#router.call(message, { signal: this.#host.signal }).catch((error: unknown) => {
      if (!isOfNode(error) && !this.#host.signal.aborted) throw error;
    });
  }
}

/** Where the source was read, and the position there. */
interface FarPosition {
  readonly id: string;
  readonly position: string;
}

/** @throws {MetanodeError} stream.graph – it is that of a source which was not placed */
function readPosition(text: string): FarPosition {
  try {
    const { id, position } = JSON.parse(text) as Partial<FarPosition>;
    if (id !== undefined && position !== undefined) return { id, position };
  } catch {
    // Said below.
  }
  throw streamError("stream.graph", `the position ${text} names no node: the source was read here before; give it another name`);
}
