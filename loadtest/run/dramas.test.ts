import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { Balancer } from './balancer.ts';
import { outages } from './dramas.ts';
import type { Scene } from './plan.ts';

test('jitter waits for those who come back last', async () => {
  const node = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  const urlOf = () => `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  await once(node, 'listening');
  const balancer = await Balancer.start([urlOf()]);
  const people = ['p0', 'p1'].map((name) => join(balancer, name));
  await Promise.all(people.map((person) => once(person, 'connect')));
  const facts: Record<string, number> = {};
  const size = { sessions: 2, seconds: 1, rates: [1] };
  const scene = { stage: { balancer }, size, at: Date.now(), facts } as unknown as Scene;
  // Whose connection is held keeps it; the other is noticed to be gone, and tries again late.
  people[0]!.once('close', () => setTimeout(() => join(balancer, 'p0'), 1500));
  while (balancer.connects.length < 2) await new Promise((resolve) => setImmediate(resolve));
  await outages(600)(scene);
  expect(facts['people without a connection']).toBe(0);
  expect(facts['Connected after the network is back, longest']).toBeGreaterThan(800);
  await balancer.stop();
  node.close();
});

function join(balancer: Balancer, name: string) {
  const socket = connect(Number(new URL(balancer.url).port), '127.0.0.1');
  socket.on('error', () => undefined).resume();
  socket.write(`GET /?client=${name} HTTP/1.1\r\n\r\n`);
  return socket;
}
