import { afterEach, describe, expect, test } from 'vitest';
import { Client, connect, eventually } from '../client.js';
import { ALICE, BOB } from '../cluster.js';
import { startNode, type TestNode } from '../node.js';
import { rest } from '../rest.js';
import { tokenOf } from '../tokens.js';
import { BACKPLANES, Several } from './several.js';

const quiet = { transports: ['websocket'], reconnection: false };

describe.each(BACKPLANES)('revocation on %s', (backplane) => {
  let several: Several;
  const late: TestNode[] = [];
  const clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(late.splice(0).map((node) => node.stop()));
    await several.stop();
  });

  const iat = Math.floor(Date.now() / 1000) - 10;
  const old = { ...ALICE, claims: { iat } };

  async function refused(node: TestNode): Promise<unknown> {
    const client = new Client(node.url, { auth: { token: await tokenOf(old) }, ...quiet });
    clients.push(client);
    return client.life('connect_error');
  }

  const revoked = { data: { code: 'token_revoked', retryable: false } };
  const disconnect = { action: 'disconnect', to: 'user:alice', data: { revoke: 600 } };

  test('holds on every node while Redis is away, and on one that starts meanwhile when it is back', async () => {
    several = await Several.start(2, backplane);
    const { body } = await rest(several.node(1), 'POST /v1/commands', disconnect);
    expect(body).toMatchObject({ outcome: 'done' });
    for (const node of several.nodes) expect(await refused(node)).toMatchObject(revoked);

    await several.redis.kill();
    for (const node of several.nodes) {
      await node.logged(({ msg }) => msg === 'Redis is away');
      expect(await refused(node)).toMatchObject(revoked);
    }
    const third = await startNode({
      STREAMGATE_REDIS_URL: several.redis.url,
      STREAMGATE_BACKPLANE: backplane,
    });
    late.push(third);
    await third.logged(({ msg }) => msg === 'Redis is away');
    // It cannot know: Redis has what was revoked.
    const { client } = await connect(third.url, old, quiet);
    clients.push(client);
    const ended = client.life('disconnect');
    await several.redis.restart();
    expect(await client.next('error')).toMatchObject({ code: 'token_revoked', retryable: false });
    expect(await ended).toBe('io server disconnect');
    await eventually(() => third.lines.some(({ msg }) => msg === 'Redis is there'), Boolean);
    for (const node of [...several.nodes, third])
      expect(await refused(node)).toMatchObject(revoked);
    await connect(third.url, BOB, quiet).then(({ client: bob }) => clients.push(bob));
  });

  test('a node that starts later knows it, and an old token refreshes nothing', async () => {
    several = await Several.start(1, backplane);
    const fresh = { ...ALICE, claims: { iat: Math.floor(Date.now() / 1000) + 600 } };
    await rest(several.node(1), 'POST /v1/commands', disconnect);
    const second = await startNode({
      STREAMGATE_REDIS_URL: several.redis.url,
      STREAMGATE_BACKPLANE: backplane,
    });
    late.push(second);
    for (const node of [several.node(1), second]) {
      const { client } = await connect(node.url, fresh, quiet);
      clients.push(client);
      expect(await client.ask('refresh-token', { token: await tokenOf(old) })).toMatchObject({
        error: { code: 'token_revoked', retryable: false },
      });
      expect(client.socket.connected).toBe(true);
      expect(await refused(node)).toMatchObject(revoked);
    }
  });
});
