import { hash } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import { type Config, ConfigError } from '../config.js';
import { ClaimError, principalOf } from './claims.js';
import { JwksKeys } from './jwks.js';
import { pemKey, secretKey, type VerificationKey } from './verification-key.js';

const TOKEN_MAX = 16_384;
const CACHE_MAX = 20_000;
/** Characters of tokens, which is about what their claims hold on to. */
const CACHE_SIZE_MAX = 64 * 1024 * 1024;
/** So long a token may be believed whose key was removed since. */
const CACHE_MS = 300_000;

interface Verified {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Verifies tokens: who is this principal? Remembers verified ones, by their hash. */
export class TokenVerifier {
  /** Signatures checked so far; a remembered token costs none. */
  signatureChecks = 0;
  private readonly keys: readonly VerificationKey[];
  private readonly jwks: JwksKeys | undefined;
  private readonly verified = new LRUCache<string, Verified>({
    max: CACHE_MAX,
    maxSize: CACHE_SIZE_MAX,
  });
  private readonly running = new Map<string, Promise<Principal>>();

  /**
   * @param revoked whether a principal's token is refused though it is valid
   * @throws ConfigError that names the variable when a key of the configuration is unusable
   */
  constructor(
    private readonly config: Config,
    private readonly revoked: (principal: Principal) => boolean = () => false,
  ) {
    this.keys = configuredKeys(config);
    this.jwks = config.jwtJwksUrl === undefined ? undefined : new JwksKeys(config.jwtJwksUrl);
  }

  /** The principal of a token that was verified a short time ago; undefined: ask `verify`. */
  cached(token: string): Principal | undefined {
    return token.length > TOKEN_MAX ? undefined : this.remembered(nameOf(token));
  }

  /**
   * @throws GatewayError `authentication_failed`, `token_expired`, `token_revoked`,
   *   `jwks_unavailable`; its cause is
   *   a text for the log that carries nothing of the token
   */
  async verify(token: string): Promise<Principal> {
    if (token.length > TOKEN_MAX) throw refusal('the token is too long');
    const principal = await this.principalOf(token);
    if (this.revoked(principal)) throw new GatewayError('token_revoked');
    return principal;
  }

  private async principalOf(token: string): Promise<Principal> {
    const name = nameOf(token);
    const principal = this.remembered(name);
    if (principal) return principal;
    let running = this.running.get(name);
    if (!running) {
      running = this.check(token, name).finally(() => this.running.delete(name));
      this.running.set(name, running);
    }
    return running;
  }

  close(): void {
    this.jwks?.close();
  }

  private remembered(name: string): Principal | undefined {
    const entry = this.verified.get(name);
    if (entry === undefined) return undefined;
    if (Date.now() < entry.until) return entry.principal;
    this.verified.delete(name);
    return undefined;
  }

  private async check(token: string, name: string): Promise<Principal> {
    const principal = toPrincipal(await this.claimsOf(token), this.config);
    const end = (principal.expiresAt ?? Infinity) + this.config.jwtLeewaySeconds * 1000;
    const entry = { principal, until: Math.min(end, Date.now() + CACHE_MS) };
    this.verified.set(name, entry, { size: token.length });
    return principal;
  }

  private async claimsOf(token: string): Promise<JWTPayload> {
    const { alg, kid } = headerOf(token);
    let refused: GatewayError | undefined;
    for await (const key of this.candidates(alg, kid)) {
      const result = await this.tryKey(token, key);
      if (!(result instanceof GatewayError)) return result;
      refused = result;
    }
    throw refused ?? refusal('no key for this token');
  }

  /** Keys of the configuration first: while one of them fits, no key server is asked. */
  private async *candidates(alg: string, kid: string | undefined): AsyncGenerator<VerificationKey> {
    yield* this.keys.filter(({ algorithms }) => algorithms.includes(alg));
    if (this.jwks) yield* await this.jwks.keysFor(kid, alg);
  }

  /** @returns the refusal when this key did not sign it; throws it when the key did, but it is not valid */
  private async tryKey(token: string, key: VerificationKey): Promise<JWTPayload | GatewayError> {
    this.signatureChecks++;
    try {
      const { payload } = await jwtVerify(token, key.key, {
        algorithms: [...key.algorithms],
        clockTolerance: this.config.jwtLeewaySeconds,
        ...(this.config.jwtIssuer !== undefined && { issuer: this.config.jwtIssuer }),
        ...(this.config.jwtAudience !== undefined && { audience: this.config.jwtAudience }),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed)
        return refusal('the signature does not fit');
      throw toRefusal(error);
    }
  }
}

/** A token's name in memory, where the token itself is not kept. */
function nameOf(token: string): string {
  return hash('sha256', token, 'base64');
}

function headerOf(token: string): { alg: string; kid: string | undefined } {
  let header: { alg?: unknown; kid?: unknown };
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw refusal('not a token');
  }
  const { alg, kid } = header;
  if (typeof alg !== 'string') throw refusal('no algorithm');
  return { alg, kid: typeof kid === 'string' ? kid : undefined };
}

function toPrincipal(claims: JWTPayload, config: Config): Principal {
  try {
    return principalOf(claims, config);
  } catch (error) {
    if (error instanceof ClaimError) throw refusal(error.message);
    throw error;
  }
}

/** jose's own errors carry the claims: only their kind goes on. */
function toRefusal(error: unknown): GatewayError {
  if (error instanceof errors.JWTExpired) return new GatewayError('token_expired');
  if (error instanceof errors.JWTClaimValidationFailed)
    return refusal(`${error.claim} is ${error.reason === 'missing' ? 'missing' : 'not accepted'}`);
  if (error instanceof errors.JOSEError) return refusal(error.code);
  throw error;
}

function refusal(cause: string): GatewayError {
  return new GatewayError('authentication_failed', undefined, { cause });
}

function configuredKeys(config: Config): VerificationKey[] {
  const keys = [config.jwtSecret, config.jwtSecretPrevious].flatMap((secret) =>
    secret === undefined ? [] : secretKey(secret),
  );
  const pems = {
    STREAMGATE_JWT_PUBLIC_KEY: config.jwtPublicKey,
    STREAMGATE_JWT_PUBLIC_KEY_PREVIOUS: config.jwtPublicKeyPrevious,
  };
  for (const [name, pem] of Object.entries(pems)) {
    if (pem === undefined) continue;
    try {
      keys.push(pemKey(pem));
    } catch (error) {
      throw new ConfigError([`${name}: ${(error as Error).message}`]);
    }
  }
  return keys;
}
