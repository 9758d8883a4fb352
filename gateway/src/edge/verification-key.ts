import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { CryptoKey, JWK } from 'jose';

/** A key together with the algorithms that its type allows: a token never chooses (RFC 8725, 3.1). */
export interface VerificationKey {
  /** Names the key in a key set; undefined for keys of the configuration. */
  readonly kid: string | undefined;
  readonly algorithms: readonly string[];
  readonly key: CryptoKey | KeyObject;
}

const RSA_BITS_MIN = 2048;
const PKCS1 = ['RS256', 'RS384', 'RS512'];
const PSS = ['PS256', 'PS384', 'PS512'];
const EDWARDS = ['EdDSA', 'Ed25519'];
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/** What a public key may verify with. */
export const PUBLIC_KEY_ALGORITHMS: ReadonlySet<string> = new Set([
  ...PKCS1,
  ...PSS,
  ...Object.values(CURVES),
  ...EDWARDS,
]);

/** A shared secret: HS256 and nothing else. */
export function secretKey(secret: string): VerificationKey {
  // As a CryptoKey, since jose would import other forms anew for every token.
  const key = createSecretKey(secret, 'utf8').toCryptoKey(
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  );
  return { kid: undefined, algorithms: ['HS256'], key };
}

/**
 * A public key as PEM text; `\n` written out, as environments like to hold it, is understood.
 * @throws Error that says what is wrong and never shows the text
 */
export function pemKey(pem: string): VerificationKey {
  if (pem.includes('PRIVATE KEY')) throw new Error('this is a private key, a public one is wanted');
  let key: KeyObject;
  try {
    key = createPublicKey(pem.replaceAll('\\n', '\n'));
  } catch {
    throw new Error('not a public key in PEM form');
  }
  const algorithms = algorithmsOf(key);
  if (algorithms.length === 0)
    throw new Error('wanted: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519');
  return { kid: undefined, algorithms, key };
}

/** A member of a key set; undefined for what cannot verify signatures (secrets, encryption keys). */
export function jwkKey(jwk: JWK): VerificationKey | undefined {
  if (jwk.kty === 'oct' || (jwk.use !== undefined && jwk.use !== 'sig')) return undefined;
  if (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes('verify')) return undefined;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    // Of a kind that this Node does not know: a set may hold such keys beside ours.
    return undefined;
  }
  const algorithms = algorithmsOf(key).filter((name) => jwk.alg === undefined || jwk.alg === name);
  return algorithms.length > 0 ? { kid: jwk.kid, algorithms, key } : undefined;
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength < RSA_BITS_MIN ? [] : [...PKCS1, ...PSS];
    case 'rsa-pss':
      return modulusLength < RSA_BITS_MIN ? [] : PSS;
    case 'ec': {
      const name = CURVES[namedCurve];
      return name === undefined ? [] : [name];
    }
    case 'ed25519':
      return EDWARDS;
    default:
      return [];
  }
}
