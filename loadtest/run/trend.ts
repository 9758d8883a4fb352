/** A value over time, in seconds. */
export interface Point {
  readonly second: number;
  readonly value: number;
}

/** The slope of the line through the points that leaves the least squares, per second. */
export function slope(points: readonly Point[]): number {
  const count = points.length;
  if (count < 2) return 0;
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / count;
  const second = mean((point) => point.second);
  const value = mean((point) => point.value);
  const spread = mean((point) => (point.second - second) ** 2);
  if (spread === 0) return 0;
  return mean((point) => (point.second - second) * (point.value - value)) / spread;
}

/**
 * How memory grows in the second half, when all has warmed up, as a share of itself in an hour. The least of each
 * tenth counts: what is between two collections of garbage is no leak.
 */
export function growthPerHour(points: readonly Point[]): number {
  const half = points.slice(Math.floor(points.length / 2));
  const size = Math.max(1, Math.floor(half.length / 10));
  const least: Point[] = [];
  for (let from = 0; from + size <= half.length; from += size)
    least.push(half.slice(from, from + size).reduce((a, b) => (b.value < a.value ? b : a)));
  const first = least[0]?.value ?? 0;
  return first === 0 ? 0 : (slope(least) * 3600) / first;
}
