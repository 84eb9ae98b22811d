/** One thing that happened on the node, as its journal tells it. */
export interface Step {
  readonly sequence: number;
  readonly at: string;
  readonly kind: string;
  readonly what: string;
  readonly type?: string;
  readonly subject?: string;
  readonly member?: string;
  readonly traceId?: string;
  readonly ms?: number;
  readonly code?: string;
}
