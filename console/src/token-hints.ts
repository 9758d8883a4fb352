/** What can be read in a token without its key. */
interface Claims {
  readonly exp?: unknown;
  readonly nbf?: unknown;
}

/** Why the gateway refuses a token, as far as its text tells; undefined: nothing to see. */
export function whyRefused(token: string, now = Date.now()): string | undefined {
  const parts = token.split('.');
  if (parts.length !== 3)
    return `This is not a JWT: it has ${parts.length} of three parts between dots. Was all of it copied?`;
  const claims = claimsOf(parts[1] ?? '');
  if (!claims) return 'The middle part of this token cannot be read. Was all of it copied?';
  const { exp, nbf } = claims;
  if (typeof exp === 'number' && exp * 1000 <= now)
    return `This token expired on ${new Date(exp * 1000).toLocaleString()}.`;
  if (typeof nbf === 'number' && nbf * 1000 > now)
    return `This token is not valid before ${new Date(nbf * 1000).toLocaleString()}.`;
  return undefined;
}

function claimsOf(part: string): Claims | undefined {
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
      char.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined; // it is no claims, which is all there is to say
  }
}
