import { Redis } from 'ioredis';
import { io, type Socket } from 'socket.io-client';
import { streamNames } from '@streamgate/protocol/stream';
import type { BadOptions } from './bad-neighbours.ts';
import { tokenFor } from './token.ts';

/** Asked over IPC by bad-neighbours.ts. */

const LARGE = 'x'.repeat(64 * 1024);
const LARGE_EVERY_MS = 20;
const FLOOD_EVERY_MS = 10;
/** Of each flooder, in a turn. */
const FLOOD = 20;
const facts = { 'slow readers, connects': 0, 'flooders closed, times': 0 };

async function start({ urls, redisUrl, secret, run, each }: BadOptions): Promise<void> {
  const connect = async (user: string, index: number): Promise<Socket> => {
    const token = await tokenFor(secret, user);
    return io(urls[index % urls.length], {
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 200,
      auth: { token },
    });
  };
  const stream = streamNames('streamgate').partition(0);
  const redis = new Redis(redisUrl);
  const flooders: Socket[] = [];
  for (let index = 0; index < each; index++) {
    const slow = await connect(`${run}-slow-${index}`, index);
    slow.on('connect', () => {
      const { ws } = slow.io.engine.transport as unknown as { ws: { _socket: NodeJS.ReadStream } };
      ws._socket.pause();
      facts['slow readers, connects']++;
    });
    const flooder = await connect(`${run}-flood-${index}`, index);
    flooder.on('disconnect', () => facts['flooders closed, times']++);
    flooders.push(flooder);
  }
  let turn = 0;
  setInterval(() => {
    const to = `user:${run}-slow-${turn++ % each}`;
    void redis.xadd(stream, '*', 'to', to, 'event', 'large', 'data', JSON.stringify(LARGE));
  }, LARGE_EVERY_MS);
  setInterval(() => {
    for (const flooder of flooders)
      for (let nth = 0; nth < FLOOD && flooder.connected; nth++) flooder.emit('ping', {});
  }, FLOOD_EVERY_MS);
}

process.on('message', (message: BadOptions | 'end') => {
  if (message === 'end') process.send!(facts);
  else void start(message);
});
