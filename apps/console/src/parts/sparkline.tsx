import { useEffect, useRef, useState } from "react";

/** Points of a sparkline. */
const LENGTH = 60;

/** The growth of a counter per second, at each look at it. */
export function useHistory(atMs: number, total: number): readonly number[] {
  const last = useRef<{ atMs: number; total: number }>(undefined);
  const [rates, setRates] = useState<readonly number[]>([]);
  useEffect(() => {
    if (atMs === 0) return;
    const before = last.current;
    last.current = { atMs, total };
    if (before === undefined || atMs <= before.atMs) return;
    const rate = Math.max(0, ((total - before.total) * 1_000) / (atMs - before.atMs));
    setRates((all) => [...all, rate].slice(-LENGTH));
  }, [atMs, total]);
  return rates;
}

/** A small line of how it went; the number beside it says how it is. */
export function Sparkline({ values, width = 120, height = 24 }: { values: readonly number[]; width?: number; height?: number }) {
  const top = Math.max(1, ...values);
  const points = values.map((value, index) => `${(index / (LENGTH - 1)) * width},${height - 1 - (value / top) * (height - 2)}`);
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
      <polyline points={points.join(" ")} fill="none" stroke="var(--accent)" strokeWidth="1.5" />
    </svg>
  );
}
