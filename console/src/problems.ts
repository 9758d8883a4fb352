import type { ErrorCode } from '@streamgate/protocol/errors';
import { whyRefused } from './token-hints.js';

/** Why there is no connection, for people. */
export interface Problem {
  readonly code: string;
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string | undefined;
}

/** What the gateway says of a failure: an error of the catalogue, or a code that a service made up. */
export interface Said {
  readonly code?: string;
  readonly message?: string;
}

const ADVICE: { readonly [C in ErrorCode]?: string } & { readonly [code: string]: string } = {
  authentication_failed:
    'It must be signed with the key of this gateway. `make run` makes a new key at every start, and with it the tokens of earlier runs end.',
  token_expired: 'Get a new one from whoever issued it.',
  token_revoked: 'A service revoked it. A token issued later is accepted.',
  user_limit: 'Close some of the sessions of this user first.',
  draining: 'The node is being emptied; trying again finds another one.',
  rate_limited: 'Too much was sent for too long.',
};

/** What the gateway said, with advice. */
export function explain(error: Said | undefined): Problem {
  const { code = 'disconnected', message = 'It gave no reason' } = error ?? {};
  return { code, text: message, advice: ADVICE[code] };
}

/**
 * Why a connect failed: a refusal of the gateway, an HTTP refusal before it, or nobody answered.
 * @param token that was presented, to look for what is wrong with it
 */
export function ofRefusal(error: Error, token?: string): Problem {
  const { data, context } = error as Error & {
    data?: Said;
    context?: { responseText?: string };
  };
  if (data) {
    const problem = explain({ message: error.message, ...data });
    const seen = token === undefined ? undefined : whyRefused(token);
    return { ...problem, advice: seen ?? problem.advice };
  }
  const body = bodyOf(context?.responseText);
  if (body) return explain(body);
  return { code: 'unreachable', text: 'The gateway does not answer. Trying again.' };
}

function bodyOf(text: string | undefined): Said | undefined {
  try {
    const body: unknown = JSON.parse(text ?? '');
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    return undefined; // whoever answered is not the gateway
  }
}
