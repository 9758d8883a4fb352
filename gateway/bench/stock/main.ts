import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { EventsGateway } from './events.gateway.js';
import { MoreGateway } from './more.gateway.js';
import { RedisIoAdapter } from './redis-io.adapter.js';
import { readStream } from './stream-door.js';

/**
 * A stock Nest + Socket.IO gateway as a program of its own, to measure ours against. Environment:
 * `BENCH_JWT_SECRET`, `BENCH_HANDLERS` (13 or 30), `BENCH_REDIS_URL` (several nodes), `BENCH_PORT` (default:
 * a free one), `BENCH_RECOVERY` (1: connection state recovery), `BENCH_STREAM` (commands are read from it).
 */
@Module({
  providers: process.env.BENCH_HANDLERS === '30' ? [EventsGateway, MoreGateway] : [EventsGateway],
})
class StockModule {}

const app = await NestFactory.create(StockModule, { logger: ['error', 'warn'] });
const redisUrl = process.env.BENCH_REDIS_URL;
app.useWebSocketAdapter(redisUrl ? new RedisIoAdapter(app, redisUrl) : new IoAdapter(app));
// SIGTERM closes the sockets, so that their sessions are kept for recovery. Nest would end at SIGUSR2 too, which asks
// nodes under measurement to collect garbage.
app.enableShutdownHooks(['SIGTERM']);
await app.listen(Number(process.env.BENCH_PORT ?? 0), '127.0.0.1');
const { port } = app.getHttpServer().address() as AddressInfo;
console.log(JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${port}` }));
const stream = process.env.BENCH_STREAM;
if (redisUrl && stream) await readStream(redisUrl, stream, app.get(EventsGateway).server);
