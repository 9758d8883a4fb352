/** Deepest JSON that a client or a service may send: what reads it later recurses. */
export const DEPTH_MAX = 100;

/** Whether arrays and objects are nested deeper than `levels`; asks without recursion. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  let layer = [value].filter(isNested);
  for (let depth = 0; layer.length > 0; depth += 1) {
    if (depth === levels) return true;
    layer = layer.flatMap((parent) => Object.values(parent).filter(isNested));
  }
  return false;
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
