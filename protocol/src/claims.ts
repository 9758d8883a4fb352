type Claims = Readonly<Record<string, unknown>>;

/**
 * The claim at a dotted path. A name may itself hold dots (`https://x/roles`,
 * `resource_access.my.app.roles`): the longest name wins. Own properties only.
 */
export function claimAt(claims: unknown, path: string): unknown {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined;
  if (Object.hasOwn(claims, path)) return (claims as Claims)[path];
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const head = path.slice(0, dot);
    if (!Object.hasOwn(claims, head)) continue;
    const found = claimAt((claims as Claims)[head], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}
