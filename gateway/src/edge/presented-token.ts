/** The parts of a Socket.IO handshake that may carry a token. */
export interface HandshakeParts {
  readonly auth: unknown;
  readonly headers: { readonly authorization?: string | undefined };
  readonly query: unknown;
}

/** The token that a client presents: `auth.token`, `Authorization: Bearer`, `query.token`, in this order. */
export function presentedToken({ auth, headers, query }: HandshakeParts): string | undefined {
  return text(tokenOf(auth)) ?? bearer(headers.authorization) ?? text(tokenOf(query));
}

/** The token of an `Authorization: Bearer` header (RFC 6750); other schemes present none. */
export function bearer(header: string | undefined): string | undefined {
  return /^bearer +(\S+)\s*$/i.exec(header ?? '')?.[1];
}

function tokenOf(part: unknown): unknown {
  return typeof part === 'object' && part !== null && Object.hasOwn(part, 'token')
    ? (part as { token: unknown }).token
    : undefined;
}

/** Some clients put the whole header value there. */
function text(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  return value.trim().replace(/^bearer +/i, '') || undefined;
}
