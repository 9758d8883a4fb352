import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Balancer } from './balancer.ts';

test('nothing passes in an outage, though what was on its way drains meanwhile', async () => {
  const node = createServer((socket) => {
    socket.on('error', () => undefined).write('x'.repeat(64 * 1024 * 1024));
  });
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  const balancer = await Balancer.start([
    `http://127.0.0.1:${(node.address() as AddressInfo).port}`,
  ]);
  const person = connect(Number(new URL(balancer.url).port), '127.0.0.1').pause();
  person.on('error', () => undefined).write('GET /?client=p0 HTTP/1.1\r\n\r\n');
  const before = person.bytesRead;
  await sleep(200);
  balancer.outage('p0', 10_000, 'held');
  person.resume();
  const end = Date.now() + 5000;
  for (let seen = -1; seen !== person.bytesRead && Date.now() < end; await sleep(200))
    seen = person.bytesRead;
  expect(person.bytesRead).toBeGreaterThan(before);
  expect(person.bytesRead).toBeLessThan(64 * 1024 * 1024);
  person.destroy();
  await balancer.stop();
  node.close();
});
