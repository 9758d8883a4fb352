import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Redis } from 'ioredis';
import type { Backplane } from './backplane/backplane.js';
import { EventsOut } from './backplane/events-out.js';
import { createMailboxBackplane } from './backplane/mailbox.js';
import { createMemoryBackplane } from './backplane/memory.js';
import { createPubsubBackplane } from './backplane/pubsub.js';
import { registryLua } from './backplane/registry-lua.js';
import { RedisLink } from './backplane/redis-link.js';
import { type RedisConnect, redisOptions } from './backplane/redis-options.js';
import { createStreamsBackplane } from './backplane/streams.js';
import { Chat } from './chat/chat.js';
import { Contacts } from './chat/contacts.js';
import { Conversations } from './chat/conversations.js';
import type { ChatStore } from './chat/store/chat-store.js';
import { createChatStore } from './chat/store/create-chat-store.js';
import type { Config } from './config.js';
import type { EdgeParts } from './edge/edge.js';
import { TokenVerifier } from './edge/tokens.js';
import { Inbox } from './inbox/inbox.js';
import { inboxLua } from './inbox/inbox-scripts.js';
import { MemoryInbox } from './inbox/memory-inbox.js';
import { RedisInbox } from './inbox/redis-inbox.js';
import type { InboxStore } from './inbox/store.js';
import type { Door } from './ingest/door.js';
import { Executor } from './ingest/execute.js';
import { KafkaDoor } from './ingest/kafka/kafka-door.js';
import { type Ledger, MemoryLedger } from './ingest/ledger.js';
import { Receipts } from './ingest/receipts.js';
import { ScriptLedger } from './ingest/script-ledger.js';
import { StreamDoor } from './ingest/stream/stream-door.js';
import { TwoStepLedger } from './ingest/two-step-ledger.js';
import { httpControllers } from './ingest/http/http-door.js';
import { CHAT, CONFIG, EXECUTOR, PRESENCE, VERIFY_TOKEN } from './ingest/http/needs.js';
import { TcpDoor } from './ingest/tcp/tcp-door.js';
import { Presence } from './presence/presence.js';
import { Revocations } from './presence/revocations.js';
import { Typing } from './presence/typing.js';
import { Rooms } from './rooms/rooms.js';
import { EchoGateway } from './session/echo.js';
import { MessagesGateway } from './session/messages.js';
import { RoomsGateway } from './session/rooms.js';
import { ChatTokenGateway, TokenGateway } from './session/token.js';
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

/**
 * Where events for absent users lie, and where it is recorded what was done: together with doing it,
 * where the backplane can.
 */
function createRecords(
  config: Config,
  backplane: Backplane,
  link: RedisLink | undefined,
): { store: InboxStore; ledger: Ledger } {
  if (!link) {
    const store = new MemoryInbox(config);
    const windowMs = config.idempotencySeconds * 1000;
    return { store, ledger: new MemoryLedger(backplane, windowMs, (kept) => store.append(kept)) };
  }
  const store = new RedisInbox(config, link);
  const lua = inboxLua(config) + registryLua(config.redisPrefix);
  const together = backplane.together?.bind(backplane);
  return {
    store,
    ledger: together
      ? new ScriptLedger({ together }, config, lua)
      : new TwoStepLedger(backplane, link, config, lua),
  };
}

/** What `/chat` and `/v1/conversations` are made of; undefined while chat is off. */
export interface ChatParts {
  readonly store: ChatStore;
  readonly namespace: Chat;
  readonly conversations: Conversations;
}

function createChat(
  config: Config,
  backplane: Backplane,
  presence: Presence,
  eventsOut: EventsOut,
): ChatParts | undefined {
  if (config.chat === 'off') return undefined;
  const store = createChatStore(config);
  const contacts = new Contacts({ config, store, backplane, presence });
  const namespace = new Chat({ config, backplane, presence, eventsOut, store, contacts });
  const { rooms } = namespace;
  const conversations = new Conversations({ config, store, backplane, presence, rooms });
  return { store, namespace, conversations };
}

/** All that a node is made of. */
export interface Parts extends EdgeParts {
  readonly eventsOut: EventsOut;
  readonly chatParts: ChatParts | undefined;
  /** The connection for what is done for services; undefined without Redis. */
  readonly serviceRedis: RedisLink | undefined;
  /** For all doors. */
  readonly executor: Executor;
  readonly doors: readonly Door[];
}

/** The composition root: the only place that picks implementations. */
export function createParts(config: Config): Parts {
  const connect = connectTo(config);
  const backplane = createBackplane(config, connect);
  const revocations = new Revocations(backplane);
  const { nodeId } = backplane;
  const serviceRedis =
    backplane.kind === 'memory'
      ? undefined
      : new RedisLink(connect, config.redisTimeoutMs, 'services');
  const eventsOut = new EventsOut(config, serviceRedis);
  const receipts = serviceRedis && new Receipts(serviceRedis, config.redisPrefix, nodeId);
  const { store, ledger } = createRecords(config, backplane, serviceRedis);
  const executor = new Executor({ config, backplane, ledger, receipts });
  const doors: Door[] = [];
  if (serviceRedis && receipts)
    doors.push(
      new StreamDoor({ config, backplane, executor, receipts, link: serviceRedis, connect }),
    );
  if (config.tcpPort !== undefined) doors.push(new TcpDoor(config, executor));
  if (config.kafkaBrokers) {
    const isUp = () => backplane.health().up;
    doors.push(new KafkaDoor({ config, executor, receipts, nodeId, isUp }));
  }
  const presence = new Presence(config, backplane, eventsOut);
  const chatParts = createChat(config, backplane, presence, eventsOut);
  return {
    config,
    backplane,
    chatParts,
    chat: chatParts?.namespace,
    inbox: new Inbox(config, backplane, store),
    serviceRedis,
    eventsOut,
    executor,
    doors,
    revocations,
    tokens: new TokenVerifier(config, (principal) => revocations.has(principal)),
    presence,
    rooms: new Rooms(config, backplane, eventsOut),
    typing: new Typing(backplane),
  };
}

@Module({})
export class AppModule {
  /** What Nest makes of the parts: gateways for clients, controllers for services. */
  static of(parts: Parts): DynamicModule {
    const { chatParts, config, eventsOut, executor, tokens, presence, rooms, typing } = parts;
    return {
      module: AppModule,
      imports: [DiscoveryModule],
      controllers: httpControllers(config),
      providers: [
        { provide: EventsOut, useValue: eventsOut },
        { provide: Presence, useValue: presence },
        { provide: Rooms, useValue: rooms },
        { provide: Typing, useValue: typing },
        { provide: CONFIG, useValue: config },
        { provide: CHAT, useValue: chatParts?.conversations },
        { provide: PRESENCE, useValue: presence },
        { provide: EXECUTOR, useValue: executor },
        { provide: VERIFY_TOKEN, useValue: (token: string) => tokens.verify(token) },
        EchoGateway,
        MessagesGateway,
        RoomsGateway,
        TokenGateway,
        ...gatewaysOf(chatParts),
        TypingGateway,
        UsersGateway,
      ],
    };
  }
}

function gatewaysOf(chat: ChatParts | undefined): Provider[] {
  if (!chat) return [];
  const made = chat.namespace.gateways.map((gateway) => ({
    provide: gateway.constructor,
    useValue: gateway,
  }));
  return [ChatTokenGateway, ...made];
}
