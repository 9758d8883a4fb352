import { once } from 'node:events';
import { connect as connectTo, createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Client, connect, eventually } from '../client.js';
import { ALICE, BOB } from '../cluster.js';
import { startNode, TestNode, type NodeEnv } from '../node.js';
import { startRedis } from '../redis.js';

const clients: Client[] = [];
const nodes: TestNode[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(nodes.splice(0).map((node) => node.kill()));
});

async function serving(env: NodeEnv, sessions = 2): Promise<TestNode> {
  const node = await startNode(env);
  nodes.push(node);
  for (let count = 0; count < sessions; count++)
    clients.push((await connect(node.url, count % 2 ? BOB : ALICE)).client);
  return node;
}

describe('a node ends', () => {
  test.for(['SIGTERM', 'SIGINT'] as const)('%s drains, then exits 0', async (signal) => {
    const node = await serving({ STREAMGATE_DRAIN_SECONDS: '1' });
    const gone = clients.map((client) => client.life('disconnect'));
    node.signal(signal);
    // A closed transport, not a server disconnect: the clients come back.
    expect(await Promise.all(gone)).toEqual(['transport close', 'transport close']);
    expect(clients.every((client) => client.socket.active)).toBe(true);
    expect(await node.exit).toEqual({ code: 0, signal: null });
  });

  test('connections on which nothing is asked, or not all of it, do not keep it', async () => {
    const node = await serving({ STREAMGATE_DRAIN_SECONDS: '1' });
    const { port } = new URL(node.url);
    const [silent, slow] = [connectTo(Number(port)), connectTo(Number(port))];
    await Promise.all([once(silent, 'connect'), once(slow, 'connect')]);
    slow.write('GET /openapi.json HTTP/1.1\r\nHost: x\r\n');
    node.signal('SIGTERM');
    // 1 when it could not be closed in time.
    expect(await node.exit).toEqual({ code: 0, signal: null });
  });

  test('a WebSocket whose other end has vanished does not keep it', async () => {
    const node = await serving({
      STREAMGATE_DRAIN_SECONDS: '1',
      STREAMGATE_PING_INTERVAL_MS: '500',
      STREAMGATE_PING_TIMEOUT_MS: '500',
    });
    const vanished = connectTo(Number(new URL(node.url).port));
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    vanished.write(
      [
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
        'Host: localhost',
        ...upgrade,
        `Sec-WebSocket-Key: ${btoa('sixteen bytes...')}`,
        ...['', ''],
      ].join('\r\n'),
    );
    // It answers nothing: no ping, and not the closing of the WebSocket that follows, for which `ws` waits 30 s.
    const CLOSE = 0x88;
    for await (const frames of vanished.iterator({ destroyOnReturn: false }))
      if ((frames as Buffer).includes(CLOSE)) break;
    node.signal('SIGTERM');
    expect(await node.exit).toEqual({ code: 0, signal: null });
  });

  test('SIGTERM on a node with a Redis exits 0 too', async () => {
    const redis = await startRedis();
    const node = await serving({
      STREAMGATE_REDIS_URL: redis.url,
      STREAMGATE_DRAIN_SECONDS: '1',
    });
    node.signal('SIGTERM');
    expect(await node.exit).toEqual({ code: 0, signal: null });
    await redis.stop();
  });

  test('SIGTERM while Redis is paused exits 0 too', async () => {
    const redis = await startRedis();
    const node = await serving({
      STREAMGATE_REDIS_URL: redis.url,
      STREAMGATE_DRAIN_SECONDS: '1',
    });
    redis.pause();
    const began = Date.now();
    node.signal('SIGTERM');
    expect(await node.exit).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(10_000);
    await redis.stop();
  });

  test('SIGTERM before it listens exits at once, also where nobody else would end it', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    const called = once(silent, 'connection');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const node = new TestNode({ STREAMGATE_REDIS_URL: `redis://127.0.0.1:${port}` });
    nodes.push(node);
    await called;
    node.signal('SIGTERM');
    // Not by the signal itself, which the first process of a container does not hear.
    expect(await node.exit).toEqual({ code: 143, signal: null });
    silent.close();
  });

  test('an empty node exits at once', async () => {
    const node = await serving({ STREAMGATE_DRAIN_SECONDS: '60' }, 0);
    const began = Date.now();
    node.signal('SIGTERM');
    expect(await node.exit).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(3000);
  });

  test('a second SIGTERM hurries', async () => {
    const node = await serving({ STREAMGATE_DRAIN_SECONDS: '60' });
    node.signal('SIGTERM');
    await eventually(
      () => fetch(`${node.managementUrl}/health/ready`).then(({ status }) => status),
      (status) => status === 503,
    );
    const began = Date.now();
    node.signal('SIGTERM');
    expect(await node.exit).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(4000);
  });

  test('in development Ctrl-C stops at once', async () => {
    const node = await serving({
      STREAMGATE_MODE: 'development',
      STREAMGATE_DRAIN_SECONDS: '60',
    });
    const began = Date.now();
    node.signal('SIGINT');
    expect(await node.exit).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(2000);
  });

  test('an uncaught error is logged with its stack, clients are moved, the exit code is 1', async () => {
    const failing = new URL('failing.mjs', import.meta.url).href;
    const node = await serving({
      NODE_OPTIONS: `--import=${failing}`,
      STREAMGATE_DRAIN_SECONDS: '60',
    });
    const gone = clients.map((client) => client.life('disconnect'));
    node.signal('SIGUSR2');
    expect(await Promise.all(gone)).toEqual(['transport close', 'transport close']);
    expect(await node.exit).toEqual({ code: 1, signal: null });
    const fatal = node.lines.filter(({ level }) => level === 'fatal');
    expect(fatal).toMatchObject([{ err: { message: 'a fault of the test' } }]);
    expect(JSON.stringify(fatal)).toContain('failing.mjs');
  });
});

describe('a production start is refused', () => {
  async function refusal(env: NodeEnv): Promise<string> {
    const node = new TestNode(env);
    nodes.push(node);
    expect(await node.exit).toEqual({ code: 1, signal: null });
    // One message for people: no stack trace, and never the value of a secret.
    expect(node.output).not.toMatch(/^\s+at /m);
    expect(node.output).not.toContain('too-short-to-sign');
    expect(node.lines).toEqual([]);
    return node.output;
  }

  test.for([
    ['without a key', { STREAMGATE_JWT_SECRET: undefined }, /STREAMGATE_JWT_SECRET/],
    ['with a short secret', { STREAMGATE_JWT_SECRET: 'too-short-to-sign' }, /32 bytes/],
    ['with an unknown variable', { STREAMGATE_HTP_PORT: '0' }, /STREAMGATE_HTP_PORT.*unknown/],
    ['with an invalid value', { STREAMGATE_DRAIN_SECONDS: 'soon' }, /STREAMGATE_DRAIN_SECONDS/],
    ['with streams and no Redis', { STREAMGATE_BACKPLANE: 'streams' }, /STREAMGATE_REDIS_URL/],
  ] as [string, NodeEnv, RegExp][])('%s', async ([, env, fault]) => {
    expect(await refusal(env)).toMatch(fault);
  });

  test('every fault is named at once', async () => {
    const output = await refusal({
      STREAMGATE_JWT_SECRET: 'too-short-to-sign',
      STREAMGATE_NOBODY: '1',
      STREAMGATE_MAX_SESSIONS: '-1',
    });
    for (const name of ['STREAMGATE_JWT_SECRET', 'STREAMGATE_NOBODY', 'STREAMGATE_MAX_SESSIONS'])
      expect(output).toContain(name);
  });

  test('what Kubernetes injects is no fault', async () => {
    const node = await serving(
      {
        STREAMGATE_PORT: 'tcp://10.0.0.1:3000',
        STREAMGATE_SERVICE_HOST: '10.0.0.1',
        STREAMGATE_PORT_3000_TCP: 'tcp://10.0.0.1:3000',
      },
      0,
    );
    expect(node.url).toMatch(/^http:/);
  });

  test('when its port is taken', async () => {
    const first = await serving({}, 0);
    const node = new TestNode({ STREAMGATE_HTTP_PORT: new URL(first.url).port });
    nodes.push(node);
    expect(await node.exit).toEqual({ code: 1, signal: null });
    expect(node.output).toContain('EADDRINUSE');
  });
});
