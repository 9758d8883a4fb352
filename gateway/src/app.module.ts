import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Redis } from 'ioredis';
import type { Backplane } from './backplane/backplane.js';
import { EventsOut } from './backplane/events-out.js';
import { createMailboxBackplane } from './backplane/mailbox.js';
import { createMemoryBackplane } from './backplane/memory.js';
import { createPubsubBackplane } from './backplane/pubsub.js';
import { type RedisConnect, redisOptions } from './backplane/redis-options.js';
import { createStreamsBackplane } from './backplane/streams.js';
import type { Config } from './config.js';
import type { EdgeParts } from './edge/edge.js';
import { TokenVerifier } from './edge/tokens.js';
import type { Door } from './ingest/door.js';
import { Executor } from './ingest/execute.js';
import { KafkaDoor } from './ingest/kafka/kafka-door.js';
import { MemoryLedger } from './ingest/ledger.js';
import { httpControllers } from './ingest/http/http-door.js';
import { CONFIG, EXECUTOR, PRESENCE, VERIFY_TOKEN } from './ingest/http/needs.js';
import { Presence } from './presence/presence.js';
import { Revocations } from './presence/revocations.js';
import { Typing } from './presence/typing.js';
import { Rooms } from './rooms/rooms.js';
import { EchoGateway } from './session/echo.js';
import { MessagesGateway } from './session/messages.js';
import { RoomsGateway } from './session/rooms.js';
import { TokenGateway } from './session/token.js';
import { TypingGateway } from './session/typing.js';
import { UsersGateway } from './session/users.js';

/** Connections to `STREAMGATE_REDIS_URL`. */
function connectTo({ redisUrl }: Config): RedisConnect {
  return (purpose) => {
    if (redisUrl === undefined) throw new Error('a connection without STREAMGATE_REDIS_URL');
    return new Redis(redisOptions(redisUrl, purpose));
  };
}

/** What carries events between nodes: `STREAMGATE_BACKPLANE`. */
function createBackplane(config: Config, connect: RedisConnect): Backplane {
  switch (config.backplane) {
    case 'memory':
      return createMemoryBackplane(config);
    case 'mailbox':
      return createMailboxBackplane(config, connect);
    case 'streams':
      return createStreamsBackplane(config, connect);
    case 'pubsub':
      return createPubsubBackplane(config, connect);
  }
}

/** All that a node is made of. */
export interface Parts extends EdgeParts {
  readonly eventsOut: EventsOut;
  /** For all doors. */
  readonly executor: Executor;
  readonly doors: readonly Door[];
}

/** The composition root: the only place that picks implementations. */
export function createParts(config: Config): Parts {
  const connect = connectTo(config);
  const backplane = createBackplane(config, connect);
  const eventsOut = new EventsOut(config, connect);
  const revocations = new Revocations(backplane);
  const ledger = new MemoryLedger(backplane, 300_000, () => 0);
  const executor = new Executor({ config, backplane, ledger, receipts: undefined });
  return {
    config,
    backplane,
    eventsOut,
    executor,
    doors: config.kafkaBrokers
      ? [new KafkaDoor({ config, executor, nodeId: backplane.nodeId })]
      : [],
    revocations,
    tokens: new TokenVerifier(config, (principal) => revocations.has(principal)),
    presence: new Presence(config, backplane, eventsOut),
    rooms: new Rooms(config, backplane, eventsOut),
    typing: new Typing(backplane),
  };
}

@Module({})
export class AppModule {
  /** What Nest makes of the parts: gateways for clients, controllers for services. */
  static of(parts: Parts): DynamicModule {
    const { config, eventsOut, executor, tokens, presence, rooms, typing } = parts;
    return {
      module: AppModule,
      imports: [DiscoveryModule],
      controllers: httpControllers,
      providers: [
        { provide: EventsOut, useValue: eventsOut },
        { provide: Presence, useValue: presence },
        { provide: Rooms, useValue: rooms },
        { provide: Typing, useValue: typing },
        { provide: CONFIG, useValue: config },
        { provide: PRESENCE, useValue: presence },
        { provide: EXECUTOR, useValue: executor },
        { provide: VERIFY_TOKEN, useValue: (token: string) => tokens.verify(token) },
        EchoGateway,
        MessagesGateway,
        RoomsGateway,
        TokenGateway,
        TypingGateway,
        UsersGateway,
      ],
    };
  }
}
