import { Redis } from 'ioredis';
import type { Server } from 'socket.io';

type Entry = [id: string, fields: string[]];

const GROUP = 'stock';
const BATCH = 100;
/** An entry that its reader has not acknowledged for so long is somebody else's. */
const CLAIM_MS = 5000;

/**
 * Commands of services out of a Redis stream, as one would write it with the documentation of Redis at hand: all
 * nodes read as consumers of one group, emit, acknowledge, and now and then claim what a dead one has left.
 * Does not return.
 */
export async function readStream(url: string, stream: string, server: Server): Promise<void> {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  const consumer = String(process.pid);
  let claimed = 0;
  for (;;) {
    try {
      await redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM').catch(existsAlready);
      for (;;) {
        if (Date.now() - claimed > CLAIM_MS) {
          claimed = Date.now();
          const [, left] = (await redis.xautoclaim(
            ...([stream, GROUP, consumer, CLAIM_MS, '0', 'COUNT', BATCH] as const),
          )) as [string, Entry[]];
          await execute(left);
        }
        const reply = (await redis.xreadgroup(
          ...(['GROUP', GROUP, consumer, 'COUNT', BATCH, 'BLOCK', 1000] as const),
          ...(['STREAMS', stream, '>'] as const),
        )) as [string, Entry[]][] | null;
        await execute(reply?.[0]?.[1] ?? []);
      }
    } catch (error) {
      // Redis is away: ioredis comes back by itself.
      console.error((error as Error).message);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async function execute(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    for (const [, fields] of entries) {
      const field = (name: string) => fields[fields.indexOf(name) + 1]!;
      server.to(field('to')).emit(field('event'), JSON.parse(field('data')) as unknown);
    }
    await redis.xack(stream, GROUP, ...entries.map(([id]) => id));
  }
}

function existsAlready(error: Error): void {
  if (!error.message.startsWith('BUSYGROUP')) throw error;
}
