import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { Person } from './tokens.js';

/** A server of signing keys (RFC 7517) that can be slow, away, and rotate its key. */
export interface TestJwks {
  readonly url: string;
  /** False: answers 503. */
  online: boolean;
  /** Milliseconds before it answers. */
  delay: number;
  /** How often it was asked. */
  readonly asked: number;
  /** A new key in place of the old ones. */
  rotate(): Promise<void>;
  /** Signed with the present key. */
  tokenOf(person: Person): Promise<string>;
  close(): Promise<void>;
}

export async function startJwks(): Promise<TestJwks> {
  let key: { kid: string; jwk: JWK; privateKey: CryptoKey };
  let keys = 0;
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    setTimeout(() => {
      response.writeHead(jwks.online ? 200 : 503, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ keys: [key.jwk] }));
    }, jwks.delay);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const jwks: TestJwks = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys.json`,
    online: true,
    delay: 0,
    get asked() {
      return asked;
    },
    async rotate() {
      const { publicKey, privateKey } = await generateKeyPair('ES256');
      const kid = `key-${++keys}`;
      key = { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' } };
    },
    tokenOf: (person) =>
      new SignJWT({ username: person.username, roles: person.roles ?? [] })
        .setProtectedHeader({ alg: 'ES256', kid: key.kid })
        .setSubject(person.id)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(key.privateKey),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  await jwks.rotate();
  return jwks;
}
