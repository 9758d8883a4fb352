import { setTimeout } from 'node:timers/promises';
import { io, Manager } from 'socket.io-client';
import { afterEach, expect, it } from 'vitest';
import { runScript } from './k6.ts';
import { converse, type Client, type Clients } from './scripts/conversation.ts';
import { answer, StockServer } from './server.ts';

const real: Clients = {
  io: (url, options) => io(url, { forceNew: true, ...options }) as unknown as Client,
  manager: (url, options) => new Manager(url, options) as unknown as ReturnType<Clients['manager']>,
  delay: (ms) => setTimeout(ms),
};

const servers: StockServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

async function serve(): Promise<StockServer> {
  const server = await StockServer.start({ connectionStateRecovery: {} });
  servers.push(server);
  answer(server.io);
  return server;
}

it.each(['websocket', 'polling', 'polling,websocket'])(
  'sends and sees what socket.io-client does, frame by frame, over %s',
  async (transports) => {
    const theirs = await serve();
    const ours = await serve();
    const expected = await converse(real, theirs.url, transports.split(','));
    const { said } = await runScript('converse', { URL: ours.url, TRANSPORTS: transports });
    expect(said[0]).toEqual(expected);
    expect(ours.connections).toEqual(theirs.connections);
    const frames = theirs.connections.flatMap(({ received, sent }) => [...received, ...sent]);
    expect(frames.length).toBeGreaterThan(60);
  },
  60_000,
);
