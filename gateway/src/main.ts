import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type INestApplication, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule, createParts } from './app.module.js';
import { StoreConfigError } from './chat/store/chat-store.js';
import { type Config, ConfigError, readConfig } from './config.js';
import { printable } from './config-print.js';
import { createEdge } from './edge/edge.js';
import { configureHttp } from './ingest/http/http-door.js';
import { log } from './ops/log.js';
import { startManagement } from './ops/management.js';
import { metrics } from './ops/metrics.js';
import { closeServer, exitWhileStarting, installSignals } from './ops/shutdown.js';
import { tracing } from './ops/tracing.js';

/** Where a started node answers. */
export interface Started {
  /** Clients and REST. */
  readonly url: string;
  readonly managementUrl: string;
}

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

/** How long the last spans may take, in ms. */
const LAST_SPANS_MS = 2000;

/** Only what goes wrong inside Nest: the node says itself what it does. */
const nestLogger: LoggerService = {
  log() {},
  warn: (message: unknown) => log.warn(message),
  error: (message: unknown, ...context: unknown[]) => log.error({ context }, String(message)),
  fatal: (message: unknown, ...context: unknown[]) => log.fatal({ context }, String(message)),
};

/**
 * Makes this process a node: configuration, parts, listening, signals.
 * @throws ConfigError when the configuration has faults; StoreConfigError when the database cannot
 *   be used, which waiting would not mend; other errors when a port is taken or Redis
 *   is one that cannot be used
 */
export async function start(): Promise<Started> {
  const endStart = exitWhileStarting();
  const config = readConfig();
  log.level = config.logLevel;
  // Nodes of one machine differ by their ports.
  const alike = { ...config, httpPort: 0, managementPort: 0, tcpPort: 0 };
  const hash = createHash('sha256')
    .update(JSON.stringify(printable(alike)))
    .digest('hex');
  metrics.buildInfo.read(() => [[version, hash.slice(0, 12), 1]]);
  const parts = createParts(config);
  const { backplane, chatParts, doors, inbox, serviceRedis, tokens, typing } = parts;
  const app = await NestFactory.create<NestExpressApplication>(AppModule.of(parts), {
    logger: nestLogger,
    bodyParser: false,
    abortOnError: false,
  });
  configureHttp(app, config);
  const edge = createEdge(app, parts);
  await backplane.start();
  await serviceRedis?.start();
  // First the port: the folder of an embedded database is named after it.
  await app.listen(config.httpPort, config.host);
  await chatParts?.store.start();
  for (const door of doors) await door.start(() => !edge.drain.draining);
  const management = await startManagement({
    config,
    health: () => backplane.health(),
    ...(chatParts && { database: () => chatParts.store.health() }),
    drain: edge.drain,
  });

  async function closeAll(): Promise<void> {
    await Promise.all(doors.map((door) => door.close()));
    await closeServer(app.getHttpServer(), () => app.close());
    await edge.close();
    await inbox.close();
    chatParts?.namespace.close();
    await chatParts?.store.close();
    typing.close();
    tokens.close();
    serviceRedis?.close();
    await backplane.close();
    await management.close();
    await lastSpans();
  }

  endStart();
  installSignals({
    mode: config.mode,
    drain: edge.drain,
    hurry: () => edge.drain.hurry(),
    closeAll,
  });
  const started = { url: await urlOf(app, config), managementUrl: management.url };
  log.info(
    { ...started, node: backplane.nodeId, backplane: backplane.kind, chat: chatKind(config) },
    'listening',
  );
  return started;
}

/** For people who wonder where their messages go. */
function chatKind({ chat, databaseUrl, dataDir = 'memory' }: Config): string {
  if (chat === 'off') return 'off';
  return databaseUrl === undefined ? `embedded: ${dataDir}` : 'PostgreSQL';
}

/** A collector that is away must not keep the node. */
async function lastSpans(): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LAST_SPANS_MS);
  const sent = tracing
    .shutdown()
    .catch((error: unknown) => log.warn({ err: error }, 'the last spans were not sent'));
  await Promise.race([sent, late]).finally(() => clearTimeout(timer));
}

/** Nest names the loopback address when it listens on all of them; people read localhost. */
async function urlOf(app: INestApplication, config: Config): Promise<string> {
  const { port } = new URL(await app.getUrl());
  const all = config.host === '0.0.0.0' || config.host === '::';
  const host = all ? 'localhost' : config.host.includes(':') ? `[${config.host}]` : config.host;
  return `http://${host}:${port}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  start().catch((error: unknown) => {
    // A fault of the configuration is for people: one message, no stack trace.
    if (error instanceof ConfigError || error instanceof StoreConfigError)
      process.stderr.write(`${error.message}\n`);
    else log.fatal({ err: error }, 'cannot start');
    process.exit(1);
  });
}
