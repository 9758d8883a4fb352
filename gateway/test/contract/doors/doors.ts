import { randomUUID } from 'node:crypto';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import type { CommandFields } from '@streamgate/protocol/command-fields';
import { deadOfEntry, fieldOf, streamNames } from '@streamgate/protocol/stream';
import { eventually } from '../../client.js';
import type { Cluster } from '../../cluster.js';

/** What a service is told of a command: an outcome, or the code of the refusal. */
export interface Told {
  readonly outcome?: 'done' | 'duplicate' | 'expired';
  /** Only when the door was asked for it and it is known. */
  readonly sessions?: number;
  readonly inboxed?: number;
  readonly code?: string;
}

/** A door as a service sees it. */
export interface ServiceDoor {
  /** Whether it has words for a command: document 1's patterns have none for most actions. */
  speaks(fields: CommandFields): boolean;
  /** Hands a command in and waits until it is told what became of it. */
  emit(fields: CommandFields): Promise<Told>;
  /** Hands commands in, in their order, and waits for none before the last is under way. */
  emitAll(fields: readonly CommandFields[]): Promise<Told[]>;
  close(): Promise<void> | void;
}

/** The doors of a cluster by name; those that need Redis are not on `memory`. */
export const DOORS: Record<string, (cluster: Cluster) => Promise<ServiceDoor>> = {
  rest: openRest,
  tcp: openTcp,
  stream: openStream,
};

async function openRest(cluster: Cluster): Promise<ServiceDoor> {
  return {
    speaks: () => true,
    emit: async (fields) => (await cluster.rest('POST /v1/commands', fields)).body as Told,
    async emitAll(commands) {
      const { body } = await cluster.rest('POST /v1/commands/batch', { commands });
      return (body.outcomes as (Told & { error?: Told })[]).map(
        ({ error, ...told }) => error ?? told,
      );
    },
    close: () => undefined,
  };
}

async function openTcp(cluster: Cluster): Promise<ServiceDoor> {
  const { port } = await cluster.one.logged(({ msg }) => msg === 'the TCP door listens');
  const options = { host: '127.0.0.1', port: port as number };
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
  const emit = ({ to, ...rest }: CommandFields): Promise<Told> => {
    const [pattern, address] = patternOf(to);
    return firstValueFrom(client.send<Told>(pattern, { ...address, ...rest })).catch(
      (refusal: Told) => refusal,
    );
  };
  return {
    speaks: ({ action, to }) => action === undefined && patternOf(to)[0] !== '',
    emit,
    emitAll: (commands) => Promise.all(commands.map(emit)),
    close: () => void client.close(),
  };
}

/** In document 1's words; none for several rooms. */
function patternOf(to: unknown): [string, object] {
  if (to === '*') return ['ws:broadcast', {}];
  const rooms = [to].flat();
  const users = rooms.map((room) => /^user:(.+)$/.exec(String(room))?.[1]);
  if (!users.includes(undefined))
    return rooms.length === 1
      ? ['ws:emit:user', { userId: users[0] }]
      : ['ws:emit:users', { userIds: users }];
  return rooms.length === 1 ? ['ws:emit:room', { room: rooms[0] }] : ['', {}];
}

async function openStream(cluster: Cluster): Promise<ServiceDoor> {
  const names = streamNames('streamgate');
  const redis = new Redis(cluster.redisUrl);
  const receiptOf = (fields: CommandFields) =>
    (fields.receipt as string | undefined) ?? names.receipts + randomUUID();

  async function write(fields: CommandFields): Promise<() => Promise<Told>> {
    const receipt = receiptOf(fields);
    const texts = Object.entries({ ...fields, receipt }).flatMap(([name, value]) => [
      name,
      typeof value === 'string' && name !== 'data' ? value : textOf(name, value),
    ]);
    const entry = await redis.xadd(names.partition(0), '*', ...texts);
    return () => told(entry!, receipt);
  }

  /** The receipt of the entry, or its dead letter. */
  async function told(entry: string, receipt: string): Promise<Told> {
    const found = await eventually(
      async () => {
        const receipts = await redis.xrange(receipt, '-', '+').catch(() => []);
        const own = receipts.find(([, fields]) => fieldOf(fields, 'entry') === entry);
        if (own) return toldBy(own[1]);
        const dead = await redis.xrange(names.dead, '-', '+');
        return dead
          .map(([, fields]) => deadOfEntry(fields)?.letter)
          .find((letter) => letter?.entry === entry);
      },
      (value) => value !== undefined,
    );
    return found!;
  }

  return {
    speaks: () => true,
    emit: async (fields) => (await write(fields))(),
    async emitAll(commands) {
      const written = await Promise.all(commands.map(write));
      return Promise.all(written.map((answer) => answer()));
    },
    close: () => redis.disconnect(),
  };
}

function textOf(name: string, value: unknown): string {
  return name !== 'data' && typeof value === 'boolean'
    ? String(Number(value))
    : JSON.stringify(value);
}

/** What a receipt tells. */
export function toldBy(receipt: readonly string[]): Told {
  const outcome = fieldOf(receipt, 'outcome');
  const sessions = fieldOf(receipt, 'sessions');
  if (outcome === 'refused') return { code: fieldOf(receipt, 'code')! };
  return {
    outcome: outcome as 'done',
    inboxed: Number(fieldOf(receipt, 'inboxed')),
    ...(sessions !== undefined && { sessions: Number(sessions) }),
  };
}
