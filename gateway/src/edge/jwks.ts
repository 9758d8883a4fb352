import type { JWK } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { GatewayError } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import { jwkKey, PUBLIC_KEY_ALGORITHMS, type VerificationKey } from './verification-key.js';
import { ConfigError } from '../config.js';

/** Pace of the fetches, in ms. */
export interface JwksPace {
  /** Between refreshes in the background, give or take a tenth. */
  readonly refreshMs: number;
  /** Between fetches that unknown keys ask for. */
  readonly cooldownMs: number;
  /** After a failure; doubled with each further one, never above `cooldownMs`. */
  readonly retryMs: number;
  readonly timeoutMs: number;
}

const PACE: JwksPace = { refreshMs: 600_000, cooldownMs: 10_000, retryMs: 500, timeoutMs: 5_000 };
const BYTES_MAX = 256 * 1024;
const KEYS_MAX = 100;
const KID_MAX = 200;
const REMEMBERED_KIDS = 1000;

const KeySetBody = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })).max(KEYS_MAX),
});

/**
 * The keys behind a JWKS URL (RFC 7517). Keys stay until a successful fetch brings a set without
 * them: a key server that is away never refuses a token whose key is known.
 */
export class JwksKeys {
  private keys: readonly VerificationKey[] = [];
  /** When the fetch that brought `keys` began; 0: none succeeded yet. */
  private fetchedAt = 0;
  /** Before it no unknown key causes a fetch. */
  private nextFetchAt = 0;
  private failures = 0;
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  /** Unknown kids and when they were first asked for: an answer younger than that is final. */
  private readonly askedFor = new LRUCache<string, number>({ max: REMEMBERED_KIDS });

  constructor(
    private readonly url: string,
    private readonly pace: JwksPace = PACE,
  ) {
    const { username, password } = new URL(url);
    if (username || password)
      throw new ConfigError(['STREAMGATE_JWT_JWKS_URL: must not carry a user or password']);
    void this.refresh();
  }

  /**
   * Keys that may have signed a token with this header.
   * @param kid of the token's header; without one, every key of the algorithm
   * @returns none when the key server does not know the key
   * @throws GatewayError `jwks_unavailable` when that cannot be known right now
   */
  async keysFor(kid: string | undefined, algorithm: string): Promise<readonly VerificationKey[]> {
    const known = this.find(kid, algorithm);
    if (known.length > 0 || !PUBLIC_KEY_ALGORITHMS.has(algorithm)) return known;
    if (kid !== undefined && kid.length > KID_MAX) return known;
    const name = kid ?? '';
    const firstAsked = this.askedFor.get(name) ?? Date.now();
    this.askedFor.set(name, firstAsked);
    // A fetch under way may bring it; else this key is worth one of its own.
    await this.running;
    if (this.find(kid, algorithm).length === 0 && Date.now() >= this.nextFetchAt) {
      this.nextFetchAt = Date.now() + this.pace.cooldownMs;
      void this.refresh();
    }
    await this.running;
    const found = this.find(kid, algorithm);
    if (found.length > 0) {
      this.askedFor.delete(name);
      return found;
    }
    if (this.failures > 0 || this.fetchedAt < firstAsked)
      throw new GatewayError('jwks_unavailable', undefined, {
        retryAfterMs: Math.max(0, this.nextFetchAt - Date.now()),
      });
    return found;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private find(kid: string | undefined, algorithm: string): readonly VerificationKey[] {
    return this.keys.filter(
      (key) => (kid === undefined || key.kid === kid) && key.algorithms.includes(algorithm),
    );
  }

  /** One fetch at a time, shared by all who wait for it; never rejects. */
  private refresh(): Promise<void> {
    this.running ??= this.fetchOnce().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async fetchOnce(): Promise<void> {
    const began = Date.now();
    clearTimeout(this.timer);
    try {
      this.keys = usable(await download(this.url, this.pace.timeoutMs));
      this.fetchedAt = began;
      this.failures = 0;
      this.refreshIn(jittered(this.pace.refreshMs));
    } catch (error) {
      this.failures++;
      const { retryMs, cooldownMs } = this.pace;
      const wait = jittered(Math.min(cooldownMs, retryMs * 2 ** Math.min(this.failures - 1, 20)));
      this.nextFetchAt = Date.now() + wait;
      this.refreshIn(wait);
      log.warn({ reason: reasonOf(error), failures: this.failures }, 'signing keys not fetched');
    }
  }

  private refreshIn(ms: number): void {
    if (!this.closed) this.timer = setTimeout(() => void this.refresh(), ms).unref();
  }
}

async function download(url: string, timeoutMs: number): Promise<unknown> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > BYTES_MAX) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function usable(body: unknown): VerificationKey[] {
  const parsed = KeySetBody.safeParse(body);
  if (!parsed.success) throw new Error('the answer is not a key set');
  return parsed.data.keys.flatMap((jwk) => jwkKey(jwk as JWK) ?? []);
}

function jittered(ms: number): number {
  return ms * (0.9 + Math.random() * 0.2);
}

/** A reason without the URL, which may carry a password. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error instanceof SyntaxError) return 'the answer is not JSON';
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === 'string' ? cause.code : error.message;
}
