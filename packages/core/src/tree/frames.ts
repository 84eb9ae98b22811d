/** How one target of a for-all ended. */
export type VisitStatus = "ok" | "error" | "timeout" | "unreachable" | "skipped" | "released";

/** What a subtree came to. */
export interface Folded {
  readonly value: unknown;
  /** Targets by how they ended. */
  readonly tally: Readonly<Record<VisitStatus, number>>;
  /** The targets without a value; a lost one stands for all below it. */
  readonly missing: readonly { readonly path: string; readonly status: VisitStatus; readonly code: string }[];
}

/** What travels up while a tree is visited. */
export type VisitFrame =
  | {
      /** A node says whom it asks: itself, unless `skipped` says why not, and these children. */
      readonly kind: "accept";
      readonly id: string;
      readonly path: string;
      readonly skipped?: "selector" | "maintenance" | "not_asked";
      readonly children: readonly { readonly id: string; readonly name: string }[];
    }
  | {
      readonly kind: "result";
      readonly id: string;
      readonly path: string;
      readonly status: VisitStatus;
      readonly value?: unknown;
      readonly code?: string;
      readonly message?: string;
      readonly ms: number;
    }
  | {
      /** A node and all below it that has not ended are lost. */
      readonly kind: "lost";
      readonly id: string;
      readonly path: string;
      readonly status: VisitStatus;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: "folded"; readonly folded: Folded };

/** Frames on their way from whoever makes them to one reader, who gets all that wait at once. */
export class FrameQueue {
  #frames: VisitFrame[] = [];
  #isEnded = false;
  #wake: (() => void) | undefined;

  push(frames: readonly VisitFrame[]): void {
    this.#frames.push(...frames);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** To be read once. `onLeave` is told when the reader goes, early or not. */
  async *read(onLeave: () => void): AsyncGenerator<VisitFrame[]> {
    try {
      while (true) {
        if (this.#frames.length > 0) {
          const frames = this.#frames;
          this.#frames = [];
          yield frames;
        } else if (this.#isEnded) return;
        else await this.#more();
      }
    } finally {
      onLeave();
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        // A turn later, so that what comes in one turn goes up as one item.
        setImmediate(resolve);
      };
    });
  }
}
