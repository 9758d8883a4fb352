/** Deepest JSON that a client or a service may send: what reads it later recurses. */
export const DEPTH_MAX = 100;

/** Whether arrays and objects are nested deeper than `levels`; goes no deeper itself. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (let index = 0; index < inner.length; index++)
    if (isDeeperThan(inner[index], levels - 1)) return true;
  return false;
}
