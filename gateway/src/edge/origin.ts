import type { ServerOptions } from 'socket.io';

/**
 * Whether a request may come from this origin. Without an Origin header it does not come from a
 * browser, and there is nobody whom it could misuse.
 * @param allowed of the configuration; `*` allows any
 */
export function originAllowed(allowed: readonly string[], origin: string | undefined): boolean {
  return origin === undefined || allowed.includes('*') || allowed.includes(origin);
}

/** The same list for CORS. With credentials a browser wants its own origin named, never `*`. */
export function corsOptions(allowed: readonly string[]): NonNullable<ServerOptions['cors']> {
  return { origin: allowed.includes('*') ? true : [...allowed], credentials: true };
}
