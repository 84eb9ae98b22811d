import type { Tone } from "../parts/badge.tsx";

/** A box as it is drawn. */
export interface DrawnBox {
  readonly id: string;
  readonly title: string;
  readonly kind?: string;
  readonly lines?: readonly string[];
  readonly tone?: Tone;
}

/** A line as it is drawn. */
export interface DrawnLine {
  readonly from: string;
  readonly to: string;
  readonly label?: string;
  /** In pixels, from 1 on. */
  readonly thickness?: number;
  readonly tone?: Tone;
  readonly isMoving?: boolean;
}

/** The size of a box, in pixels; layouts reckon with it. */
export const BOX_SIZE = { width: 190, height: 64 } as const;
