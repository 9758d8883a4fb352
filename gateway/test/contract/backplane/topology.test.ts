import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { freePort, startRedis, startSentinel } from '../../redis.js';
import { type Kind, createBackplane, event, person, startNode } from './node.js';

const kinds: Kind[] = ['mailbox', 'streams', 'pubsub'];

describe('Sentinel', { timeout: 60_000 }, () => {
  test('a failover is survived, and both adapters go on with the new primary', async () => {
    const sentinel = await startSentinel();
    const nodes = await Promise.all(
      kinds.flatMap((kind) =>
        [0, 1].map(() => startNode({ kind, url: sentinel.url, prefix: kind })),
      ),
    );
    try {
      const clients = await Promise.all(nodes.map((node) => node.client('u', ['room'])));
      for (const node of nodes)
        await node.backplane.registry.connect(
          '/',
          { id: node.backplane.nodeId, user: person('u'), connectedAt: 1 },
          10,
        );
      await sentinel.primary.kill();
      await vi.waitUntil(() => nodes.every(({ backplane }) => !backplane.health().up), 10_000);
      await vi.waitUntil(() => nodes.every(({ backplane }) => backplane.health().up), 30_000);
      for (const { backplane } of nodes) {
        await backplane.publish(event(['room'], [backplane.kind]));
        expect(await backplane.registry.find('/', 'u')).toMatchObject({ sessions: 2 });
      }
      for (const [index, { got }] of clients.entries()) {
        await vi.waitUntil(() => got.length === 2, 10_000);
        const kind = nodes[index]?.backplane.kind;
        expect(got.map((args) => args[1])).toEqual([kind, kind]);
      }
      expect(nodes.flatMap(({ news }) => news)).toEqual([]);
      const admin = new Redis({ port: sentinel.replica.port, host: '127.0.0.1' });
      expect(await admin.keys('{streams}:1:registry:node:*')).toHaveLength(2);
      admin.disconnect();
    } finally {
      await Promise.all(nodes.map((node) => node.close()));
      await sentinel.stop();
    }
  });
});

describe('TLS, an ACL user and a database', () => {
  test.each(kinds)('from the URL carry %s', async (kind) => {
    const dir = await mkdtemp(join(tmpdir(), 'streamgate-tls-'));
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-days', '1', '-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1'],
        ...['-keyout', key, '-out', cert],
      ],
      { stdio: 'ignore' },
    );
    const port = await freePort();
    // Patterns are subscribed to only where the user may have any channel.
    const channels = kind === 'pubsub' ? '&*' : '&{tls}:*';
    const redis = await startRedis({
      port,
      args: [
        ...['--port', '0', '--tls-port', String(port), '--tls-cert-file', cert],
        ...['--tls-key-file', key, '--tls-auth-clients', 'no'],
        // What docs/decisions/0011-registry.md says the user needs, and no more.
        ...['--user', 'default', 'off'],
        ...[
          '--user',
          'gate',
          'on',
          '>p@ss:w/rd',
          '~{tls}:*',
          '~{tls:*',
          channels,
          '-@all',
          '+@connection',
        ],
        ...['+@pubsub', '+@stream', '+@scripting', '+@hash', '+@sortedset', '+@set', '+@string'],
        ...['+del', '+exists', '+time', '+info', '-@dangerous', '+info'],
      ],
    });
    const url = `rediss://gate:${encodeURIComponent('p@ss:w/rd')}@127.0.0.1:${port}/3`;
    const options = { kind, url, prefix: 'tls', redis: { tls: { ca: await readFile(cert) } } };
    const nodes = await Promise.all([startNode(options), startNode(options)]);
    const [a, b] = nodes;
    try {
      expect(a.backplane.health()).toMatchObject({ up: true, warnings: [] });
      const client = await b.client('u1', ['room']);
      await a.backplane.publish(event(['room'], [1]));
      await vi.waitUntil(() => client.got.length === 1);
      const { registry } = a.backplane;
      const session = { id: 's', user: person('u1', ['r']), connectedAt: 1 };
      expect(await registry.connect('/', session, 1)).toMatchObject({ first: true });
      await registry.hold('/', ['u1'], 'room');
      expect(await b.backplane.registry.countByRole('/')).toEqual({ r: 1 });
      await registry.disconnect('/', 's', 100);
      await vi.waitUntil(() => [...a.news, ...b.news].length === 1, 5000);
      if (kind !== 'pubsub') {
        await client.lose();
        await client.comeBack(a);
        expect(client.socket.recovered).toBe(true);
      }
    } finally {
      await Promise.all(nodes.map((node) => node.close()));
      await redis.stop();
      await rm(dir, { recursive: true });
    }
  });

  test('a wrong password is told by its code, without the URL', async () => {
    const redis = await startRedis({ args: ['--requirepass', 'right'] });
    const url = redis.url.replace('//', '//:wrong@');
    const backplane = createBackplane({ kind: 'streams', url });
    await backplane.start();
    expect(backplane.health()).toMatchObject({ up: false, reason: 'WRONGPASS' });
    await backplane.close();
    await redis.stop();
  });
});

describe('what Redis is', () => {
  test('a Cluster is refused by name', async () => {
    const redis = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    const backplane = createBackplane({ kind: 'streams', url: redis.url });
    await expect(backplane.start()).rejects.toThrow('Redis Cluster is not supported');
    await backplane.close();
    await redis.stop();
  });

  test('settings that lose data are warned of', async () => {
    const redis = await startRedis({
      args: ['--appendonly', 'no', '--maxmemory-policy', 'allkeys-lru', '--maxmemory', '1gb'],
    });
    const backplane = createBackplane({ kind: 'pubsub', url: redis.url });
    await backplane.start();
    expect(backplane.health().warnings).toEqual([
      expect.stringContaining('allkeys-lru'),
      expect.stringContaining('append-only'),
    ]);
    await backplane.close();
    await redis.stop();
  });

  test('a user who may not look at the settings does without', async () => {
    const redis = await startRedis({
      args: ['--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-info'],
    });
    const backplane = createBackplane({ kind: 'streams', url: redis.url });
    await backplane.start();
    expect(backplane.health()).toMatchObject({
      up: true,
      warnings: [expect.stringContaining('unknown')],
    });
    await backplane.close();
    await redis.stop();
  });
});
