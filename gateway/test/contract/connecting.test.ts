import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client, connect, eventually, type ClientOptions } from '../client.js';
import { ALICE, BOB } from '../cluster.js';
import { startJwks } from '../jwks.js';
import { startNode, type NodeEnv, type TestNode } from '../node.js';
import { tokenOf } from '../tokens.js';

/** Tries again quickly and for ever, as the stock client does slowly. */
const quick = { reconnectionDelay: 50, reconnectionDelayMax: 200, randomizationFactor: 0 };
const transports: [string, ClientOptions][] = [
  ['polling', { transports: ['polling'] }],
  ['websocket', { transports: ['websocket'] }],
  ['polling, then websocket', {}],
];

describe('connecting', () => {
  let nodes: TestNode[] = [];
  let clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
  });

  async function start(env: NodeEnv): Promise<TestNode> {
    const node = await startNode(env);
    nodes.push(node);
    return node;
  }
  async function open(node: TestNode, options: ClientOptions = {}): Promise<Client> {
    const made = new Client(node.url, {
      auth: { token: await tokenOf(ALICE) },
      ...quick,
      ...options,
    });
    clients.push(made);
    return made;
  }

  describe('refusals that pass: the stock client comes back by itself', () => {
    /** The HTTP answer that stands in front of Engine.IO. */
    async function refusal(node: TestNode) {
      const answer = await fetch(`${node.url}/socket.io/?EIO=4&transport=polling`);
      return {
        status: answer.status,
        retryAfter: Number(answer.headers.get('retry-after')),
        body: (await answer.json()) as { code: string },
      };
    }

    /** The status of the answer to an upgrade request. */
    function upgrade(node: TestNode, headers: Record<string, string> = {}): Promise<number> {
      const url = `${node.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
      return new Promise((resolve, reject) => {
        const ws = new WebSocket(url, { headers });
        ws.once('open', () => (ws.terminate(), resolve(101)));
        ws.once('unexpected-response', (request, answer) => {
          request.destroy();
          resolve(answer.statusCode!);
        });
        ws.once('error', reject);
      });
    }

    test.for(transports)('draining, over %s', async ([, options]) => {
      const node = await start({ STREAMGATE_DRAIN_SECONDS: '60' });
      await connect(node.url, BOB).then((stays) => clients.push(stays.client));
      await fetch(`${node.managementUrl}/admin/drain`, { method: 'POST' });
      expect(await refusal(node)).toEqual({
        status: 503,
        retryAfter: expect.toSatisfy((seconds: number) => seconds >= 1) as number,
        body: expect.objectContaining({ code: 'draining', status: 503 }) as { code: string },
      });
      expect(await upgrade(node)).toBe(503);
      const late = await open(node, options);
      await late.life('connect_error');
      expect(late.socket.active).toBe(true);
      await fetch(`${node.managementUrl}/admin/drain`, { method: 'DELETE' });
      await late.next('connected');
    });

    test.for(transports)('node full, over %s', async ([, options]) => {
      const node = await start({ STREAMGATE_MAX_SESSIONS: '1' });
      const { client: first } = await connect(node.url, BOB);
      expect(await refusal(node)).toMatchObject({ status: 503, body: { code: 'node_full' } });
      const late = await open(node, options);
      await late.life('connect_error');
      first.close();
      await late.next('connected');
    });

    test.for(transports)('address limit, over %s', async ([, options]) => {
      const node = await start({ STREAMGATE_MAX_SESSIONS_PER_ADDRESS: '1' });
      const { client: first } = await connect(node.url, BOB);
      expect(await refusal(node)).toMatchObject({ status: 503, body: { code: 'address_limit' } });
      const late = await open(node, options);
      await late.life('connect_error');
      first.close();
      await late.next('connected');
    });

    test.for(transports)('handshake rate, over %s', async ([, options]) => {
      const node = await start({ STREAMGATE_CONNECTS_PER_SECOND: '2' });
      const crowd = await Promise.all(Array.from({ length: 6 }, () => open(node, options)));
      await Promise.all(crowd.map((each) => each.next('connected')));
      const refused = 'streamgate_connects_total{outcome="refused",reason="handshake_rate"}';
      expect(await node.metric(refused)).toBeGreaterThan(0);
    });

    test.for(transports)('signing keys out of reach, over %s', async ([, options]) => {
      const jwks = await startJwks();
      jwks.online = false;
      const node = await start({
        STREAMGATE_JWT_SECRET: undefined,
        STREAMGATE_JWT_JWKS_URL: jwks.url,
      });
      const late = await open(node, { auth: { token: await jwks.tokenOf(ALICE) }, ...options });
      const refused = 'streamgate_connects_total{outcome="refused",reason="jwks_unavailable"}';
      await eventually(
        () => node.metric(refused),
        (count) => count > 0,
      );
      expect(late.socket.active).toBe(true);
      jwks.online = true;
      await late.next('connected', 15_000);
      await jwks.close();
    });

    test('an origin that is not allowed', async () => {
      const node = await start({ STREAMGATE_CORS_ORIGINS: 'https://app.example.com' });
      expect(await upgrade(node, { origin: 'https://evil.example.com' })).toBe(403);
      expect(await upgrade(node, { origin: 'https://app.example.com' })).toBe(101);
      expect(await upgrade(node)).toBe(101);
      const url = `${node.url}/socket.io/?EIO=4&transport=polling`;
      const evil = await fetch(url, { headers: { origin: 'https://evil.example.com' } });
      expect(evil.status).toBe(403);
      const good = await fetch(url, { headers: { origin: 'https://app.example.com' } });
      expect(good.status).toBe(200);
      expect(good.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
      expect(good.headers.get('access-control-allow-credentials')).toBe('true');
    });

    test('in production no origin is allowed by default', async () => {
      const node = await start({});
      expect(await upgrade(node, { origin: 'https://app.example.com' })).toBe(403);
    });
  });

  describe('refusals that are final: a CONNECT_ERROR, the stock client stays away', () => {
    let node: TestNode;
    beforeAll(async () => {
      node = await startNode({
        STREAMGATE_MAX_SESSIONS_PER_USER: '1',
        STREAMGATE_JWT_ISSUER: 'https://issuer.example.com',
        STREAMGATE_JWT_AUDIENCE: 'streamgate',
        STREAMGATE_JWT_LEEWAY_SECONDS: '0',
      });
    });
    afterAll(() => node.stop());

    const ours = { iss: 'https://issuer.example.com', aud: 'streamgate' };
    const now = Math.floor(Date.now() / 1000);
    const none = Buffer.from('{"alg":"none"}').toString('base64url');

    test.for([
      ['no token', {}, 'authentication_failed'],
      ['nonsense', { token: 'nonsense' }, 'authentication_failed'],
      ['not even text', { token: { $ne: null } }, 'authentication_failed'],
      ['another issuer', { claims: { iss: 'https://evil.example.com' } }, 'authentication_failed'],
      ['another audience', { claims: { aud: 'billing' } }, 'authentication_failed'],
      ['not valid yet', { claims: { nbf: now + 600 } }, 'authentication_failed'],
      ['no user id', { claims: { sub: undefined } }, 'authentication_failed'],
      ['expired', { claims: { exp: now - 1 } }, 'token_expired'],
      ['no signature', { token: `${none}.eyJzdWIiOiJhbGljZSJ9.` }, 'authentication_failed'],
    ] as [string, { token?: unknown; claims?: Record<string, unknown> }, string][])(
      '%s',
      async ([, { token, claims }, code]) => {
        const auth = claims
          ? { token: await tokenOf({ ...ALICE, claims: { ...ours, ...claims } }) }
          : { token };
        const refused = await open(node, { auth });
        expect(await refused.life('connect_error')).toMatchObject({
          message: code === 'token_expired' ? 'Token expired' : 'Authentication failed',
          data: { code, retryable: false },
        });
        expect(refused.socket.active).toBe(false);
      },
    );

    test('too many sessions of the user', async () => {
      const person = { ...ALICE, claims: ours };
      const first = await open(node, { auth: { token: await tokenOf(person) } });
      await first.next('connected');
      const second = await open(node, { auth: { token: await tokenOf(person) } });
      expect(await second.life('connect_error')).toMatchObject({
        message: 'Too many sessions of this user',
        data: { code: 'user_limit', retryable: false },
      });
      expect(second.socket.active).toBe(false);
      first.close();
    });

    test('/chat, which is not enabled', async () => {
      const chat = new Client(`${node.url}/chat`, { auth: { token: 'any' }, ...quick });
      clients.push(chat);
      expect(await chat.life('connect_error')).toMatchObject({
        message: 'Chat is not enabled',
        data: { code: 'chat_disabled', retryable: false },
      });
      expect(chat.socket.active).toBe(false);
    });

    test('a namespace that does not exist', async () => {
      const lost = new Client(`${node.url}/nowhere`, { auth: { token: 'any' }, ...quick });
      clients.push(lost);
      expect(await lost.life('connect_error')).toBeInstanceOf(Error);
      expect(lost.socket.active).toBe(false);
    });
  });

  describe('who a token says you are', () => {
    test.for([
      ['a numeric id', { sub: undefined, id: 42 }, { id: '42', username: '42', roles: [] }],
      [
        'roles as text',
        { sub: 'a', name: 'Ann', role: 'admin, editor viewer' },
        { id: 'a', username: 'Ann', roles: ['admin', 'editor', 'viewer'] },
      ],
      [
        'an id with a bar',
        { sub: 'auth0|123', preferred_username: 'Zoe', roles: ['x'] },
        { id: 'auth0|123', username: 'Zoe', roles: ['x'] },
      ],
    ] as const)('%s', async ([, claims, user]) => {
      const node = await start({});
      const bare = { sub: undefined, username: undefined, roles: undefined };
      const token = await tokenOf({ id: '', claims: { ...bare, ...claims } });
      const made = await open(node, { auth: { token } });
      expect((await made.next('connected')).user).toEqual(user);
    });

    test('claims by dotted paths', async () => {
      const node = await start({
        STREAMGATE_JWT_USER_CLAIM: 'user.id',
        STREAMGATE_JWT_USERNAME_CLAIM: 'user.login',
        STREAMGATE_JWT_ROLES_CLAIM: 'realm_access.roles',
      });
      const claims = { user: { id: 7, login: 'seven' }, realm_access: { roles: ['admin'] } };
      const made = await open(node, { auth: { token: await tokenOf({ id: 'no', claims }) } });
      expect((await made.next('connected')).user).toEqual({
        id: '7',
        username: 'seven',
        roles: ['admin'],
      });
    });
  });
});
