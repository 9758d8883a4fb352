import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule, createParts } from '../src/app.module.js';
import { readConfig } from '../src/config.js';
import { createEdge } from '../src/edge/edge.js';
import { Executor } from '../src/ingest/execute.js';
import { EXECUTOR } from '../src/ingest/http/needs.js';
import { log } from '../src/ops/log.js';
import { SECRET, type NodeEnv } from './node.js';

/** A node inside the test's own process, whose executor the test reaches as a door does. */
export interface InnerNode {
  readonly url: string;
  readonly executor: Executor;
  close(): Promise<void>;
}

/** For commands that no door of this version carries: to rooms, and any event to everyone. */
export async function startInnerNode(env: NodeEnv = {}): Promise<InnerNode> {
  log.level = 'silent';
  const parts = createParts(readConfig({ STREAMGATE_JWT_SECRET: SECRET, ...env }));
  const app = await NestFactory.create<NestExpressApplication>(AppModule.of(parts), {
    logger: false,
  });
  const edge = createEdge(app, parts);
  await parts.backplane.start();
  await parts.serviceRedis?.start();
  await app.listen(0, '127.0.0.1');
  for (const door of parts.doors) await door.start(() => !edge.drain.draining);
  return {
    url: `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`,
    executor: app.get<Executor>(EXECUTOR),
    async close() {
      await Promise.all(parts.doors.map((door) => door.close()));
      await app.close();
      await edge.close();
      parts.typing.close();
      parts.tokens.close();
      parts.serviceRedis?.close();
      await parts.backplane.close();
    },
  };
}
