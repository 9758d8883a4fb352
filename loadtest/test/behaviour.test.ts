import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { Socket } from 'socket.io';
import { WebSocketServer } from 'ws';
import { afterEach, expect, it } from 'vitest';
import { runScript } from './k6.ts';
import { StockServer } from './server.ts';

const servers: StockServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

async function serve(
  options: Parameters<typeof StockServer.start>[0],
  connected: (socket: Socket) => void,
): Promise<StockServer> {
  const server = await StockServer.start(options);
  servers.push(server);
  server.io.on('connection', connected);
  return server;
}

it('gives up a server that is silent for its ping interval and timeout, no sooner, and comes back', async () => {
  const { url } = await serve({ pingInterval: 300, pingTimeout: 400 }, (socket) => {
    socket.on('be silent', () => {
      // What Engine.IO sends its next ping by, and waits for the answer to the last one by.
      const timers = socket.conn as unknown as Record<string, NodeJS.Timeout>;
      clearTimeout(timers['pingIntervalTimer']);
      clearTimeout(timers['pingTimeoutTimer']);
    });
  });
  const { said } = await runScript('heartbeat', { URL: url });
  expect(said).toEqual([{ reason: 'ping timeout', after: expect.any(Number) }]);
  const [{ after }] = said as [{ after: number }];
  expect(after).toBeGreaterThanOrEqual(695);
});

it.each([false, true])(
  'is offline for as long as it is told, and gets what it missed (silent: %s)',
  async (silent) => {
    const reasons: string[] = [];
    let clock: NodeJS.Timeout | undefined;
    let sent = 0;
    const options = { connectionStateRecovery: {}, pingInterval: 200, pingTimeout: 200 };
    const { url, io } = await serve(options, (socket) => {
      clock ??= setInterval(() => io.emit('number', sent++), 20);
      socket.on('disconnect', (reason) => reasons.push(reason));
      socket.on('stop', (done: () => void) => {
        clearInterval(clock);
        done();
      });
    });
    const { said } = await runScript('offline', { URL: url, SILENT: `${silent}` });
    const [seen] = said as [{ numbers: number[]; away: number; errors: number }];
    expect(seen).toMatchObject({ reason: 'transport close', recovered: true });
    // 100, 200, 400 ms after it left, and after 800 more it gets through.
    expect(seen.away).toBeGreaterThanOrEqual(1495);
    expect(seen.errors).toBe(3);
    expect(reasons[0]).toBe(silent ? 'ping timeout' : 'transport close');
    expect(seen.numbers).toEqual(Array.from({ length: sent }, (_, index) => index));
  },
);

it('never fires a timer early, and keeps the pace of repeated ones', async () => {
  const { said } = await runScript('timers', {});
  expect(said).toHaveLength(2);
  for (const { came, ticks } of said as { came: [number, number][]; ticks: number[] }[]) {
    expect(came).toHaveLength(6);
    for (const [due, at] of came) expect(at).toBeGreaterThanOrEqual(due);
    expect(ticks).toEqual(Array.from({ length: 10 }, (_, index) => index * 20));
  }
  // What was given up does not make an iteration last.
  const [first, second] = said as [{ start: number }, { start: number }];
  expect(second.start - first.start).toBeLessThan(10_000);
});

it('tries again after the pauses that it was told, and then says that it gave up', async () => {
  const refusing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(refusing, 'listening');
  const url = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`;
  const { said } = await runScript('backoff', { URL: url });
  refusing.close();
  const [{ pauses, ...rest }] = said as [{ pauses: number[] }];
  expect(rest).toEqual({ message: 'websocket error', active: true });
  expect(pauses).toHaveLength(5);
  for (const [index, least] of [50, 100, 200, 300, 300].entries()) {
    expect(pauses[index]).toBeGreaterThanOrEqual(least);
  }
});

it('lets a mistake in a listener be seen', async () => {
  const { url } = await serve({}, () => {});
  const { output } = await runScript('throws', { URL: url });
  expect(output).toContain('a mistake of the author');
});

it('makes another connection when k6 has lost the handshake, and none when the server is slow', async () => {
  // Like a server whose first handshake was lost on the way, and whose second one is late.
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  let connections = 0;
  let isSlow = false;
  const closed: number[] = [];
  server.on('connection', (client, request) => {
    const nth = ++connections;
    client.on('close', () => closed.push(nth));
    client.on(
      'message',
      (data: Buffer) => data.toString() === '40' && client.send('40{"sid":"session"}'),
    );
    const handshake = '0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}';
    if (isSlow) setTimeout(() => request.socket.resume() && client.send(handshake), 1000);
    else if (nth > 1) client.send(handshake);
    // It does not answer pings before it has written the handshake.
    if (isSlow) request.socket.pause();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const lost = await runScript('lost-handshake', { URL: url });
  expect(lost.said).toEqual([{ after: expect.any(Number), errors: [], id: 'session' }]);
  expect(connections).toBe(2);
  expect(closed).toContain(1);

  isSlow = true;
  const slow = await runScript('lost-handshake', { URL: url });
  expect(slow.said).toEqual([{ after: expect.any(Number), errors: [], id: 'session' }]);
  expect(connections).toBe(3);
  server.close();
});
