import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { streamNames } from '@streamgate/protocol/stream';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import { Emitter } from './emitter.js';
import { StreamgateModule } from './nest.js';
import { Presence } from './presence.js';

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

@Injectable()
class QuizService {
  constructor(readonly emitter: Emitter) {}
}
// Knows nothing of the module that gives it the emitter.
@Module({ providers: [QuizService] })
class QuizModule {}

@Module({ providers: [{ provide: 'URL', useFactory: () => server.url }], exports: ['URL'] })
class ConfigModule {}

const presence = { url: 'http://127.0.0.1:1', token: 't' };

test.each([
  ['forRoot', () => StreamgateModule.forRoot({ redis: server.url, presence })],
  [
    'forRootAsync',
    () =>
      StreamgateModule.forRootAsync({
        imports: [ConfigModule],
        inject: ['URL'],
        useFactory: async (redis: string) => ({ redis, presence }),
      }),
  ],
])('%s gives every module the emitter, and writes what waits on shutdown', async (_, module) => {
  const testing = await Test.createTestingModule({ imports: [module(), QuizModule] }).compile();
  const app = await testing.createNestApplication().init();
  expect(app.get(Presence)).toBeInstanceOf(Presence);
  const sent = app.get(QuizService).emitter.toUser(1).emit('quiz:created', { quizId: 7 });
  await app.close();
  const { entry } = await sent;
  const redis = new Redis(server.url);
  expect(await redis.xrange(streamNames('streamgate').partition(0), entry, entry)).toHaveLength(1);
  redis.disconnect();
});
