import type { Socket as NetSocket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import { Client, type ClientOptions, Node } from './cluster.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis({ args: ['--appendonly', 'no'] });
});
afterAll(() => redis.stop());

/** Events take short cuts to the network: they must not show. */
describe.each(['streams', 'mailbox'] as const)('whatever the transport, over %s', (kind) => {
  let nodes: [Node, Node];
  let clients: Client[] = [];
  beforeAll(async () => {
    const start = () =>
      Node.start(
        kind,
        { url: redis.url, prefix: `transports-${kind}` },
        { perMessageDeflate: { threshold: 100 }, maxHttpBufferSize: 1e7 },
      );
    nodes = [await start(), await start()];
  });
  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
  });
  afterAll(() => Promise.all(nodes.map((node) => node.close())));

  async function connect(options: ClientOptions = {}): Promise<Client> {
    const client = await Client.connect(nodes[0], { rooms: ['room'], ...options });
    clients.push(client);
    return client;
  }

  const plain = { perMessageDeflate: false } as unknown as ClientOptions;
  const netOf = ({ socket }: Client) =>
    (socket.io.engine.transport as unknown as { ws: { _socket: NetSocket } }).ws._socket;

  test('everybody gets the same in the same order', async () => {
    const all = await Promise.all([
      connect(),
      connect(plain),
      connect({ transports: ['polling'] }),
      connect({ transports: ['polling', 'websocket'] }),
    ]);
    for (let number = 0; number < 300; number++) {
      const from = nodes[1].io.to('room').compress(number % 3 > 0);
      if (number % 5 === 0) from.emit('news', number, Buffer.from([number % 256]), 0);
      else from.emit('news', number, 'ä'.repeat(number % 7 === 0 ? 70_000 : number), 0);
      if (number % 50 === 0) await new Promise(setImmediate);
    }
    await vi.waitUntil(() => all.every(({ said }) => said.length === 300), 10_000);
    for (const { got } of all) expect(got).toEqual(all[0].got);
    expect(all[0].said).toEqual(Array.from({ length: 300 }, (_, number) => number));
    expect(all[3].socket.io.engine.transport.name).toBe('websocket');
  });

  test('what is to be compressed is', async () => {
    const client = await connect();
    const before = netOf(client).bytesRead;
    nodes[1].io.to('room').emit('news', 'x'.repeat(100_000), 0);
    await vi.waitUntil(() => client.got.length === 1);
    expect(netOf(client).bytesRead - before).toBeLessThan(10_000);
  });

  test.each([
    ['compressed', {}],
    ['plain', plain],
  ])('what a slow %s session has not taken is known', async (_, options) => {
    const slow = await connect(options);
    netOf(slow).pause();
    // Hardly to be compressed.
    const chunk = Array.from({ length: 50_000 }, () => Math.random().toString(36)).join('');
    const sent = 20;
    for (let number = 0; number < sent; number++)
      await nodes[1].publish(['room'], 'news', number, chunk, 0);
    const { conn } = slow.on(nodes[0]);
    const { transport, writeBuffer } = conn as unknown as {
      transport: { socket: { bufferedAmount: number } };
      writeBuffer: { data: string }[];
    };
    const unsent = () =>
      writeBuffer.reduce((sum, { data }) => sum + (data?.length ?? 0), 0) +
      transport.socket.bufferedAmount;
    await vi.waitUntil(() => unsent() > 3_000_000, 5000);
    nodes[1].io.volatile.to('room').emit('volatile', 0);
    netOf(slow).resume();
    await vi.waitUntil(() => slow.got.length >= sent, 15_000);
    nodes[1].io.to('room').emit('news', sent, 0);
    await vi.waitUntil(() => slow.said.at(-1) === sent, 5000);
    expect(slow.said).toEqual(Array.from({ length: sent + 1 }, (__, number) => number));
  });
});
