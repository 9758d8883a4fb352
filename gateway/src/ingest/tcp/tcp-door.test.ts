import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, type Server as NetServer, type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientProxyFactory, type ClientTCP, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { Server } from 'socket.io';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { memoryExecutor } from '../../../test/executor.js';
import type { Backplane, Publication } from '../../backplane/backplane.js';
import { createMemoryBackplane } from '../../backplane/memory.js';
import { type Config, readConfig } from '../../config.js';
import { metrics } from '../../ops/metrics.js';
import type { Executor } from '../execute.js';
import { TcpDoor } from './tcp-door.js';

const MAX_BYTES = 4096;

const env = {
  STREAMGATE_MODE: 'development',
  STREAMGATE_TCP_PORT: '0',
  STREAMGATE_COMMAND_MAX_BYTES: String(MAX_BYTES),
};

let backplane: Backplane;
let executor: Executor;
/** What was published, in order. */
const published: Publication[] = [];
beforeAll(async () => {
  backplane = createMemoryBackplane(readConfig(env));
  new Server(backplane.serverOptions);
  await backplane.start();
  const publish = backplane.publish.bind(backplane);
  backplane.publish = (publication) => {
    published.push(publication);
    return publish(publication);
  };
  executor = memoryExecutor(backplane);
});
afterAll(() => backplane.close());

const closing: (() => Promise<void> | void)[] = [];
beforeEach(() => void published.splice(0));
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function openDoor(
  more: NodeJS.ProcessEnv = {},
  executes: Pick<Executor, 'executeBatch'> = executor,
) {
  const config: Config = readConfig({ ...env, ...more });
  const door = new TcpDoor(config, executes);
  await door.start();
  closing.push(() => door.close());
  return { door, port: (door.unwrap<NetServer>().address() as AddressInfo).port };
}

function proxy(port: number, tlsOptions?: { ca: string }): ClientTCP {
  const options = { host: '127.0.0.1', port, ...(tlsOptions && { tlsOptions }) };
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options }) as ClientTCP;
  closing.push(() => client.close());
  return client;
}

const send = (client: ClientTCP, pattern: string, data: unknown): Promise<unknown> =>
  firstValueFrom(client.send(pattern, data));

describe("document 1's ClientProxy", () => {
  test.each([
    ['ws:emit:user', { userId: 'u1' }, ['user:u1'], 0],
    ['ws:emit:users', { userIds: ['u1', 2] }, ['user:u1', 'user:2'], 0],
    ['ws:broadcast', {}, '*', undefined],
    ['ws:emit:room', { room: 'quiz:7' }, ['quiz:7'], undefined],
  ])('%s as an event and as a request', async (pattern, address, to, sessions) => {
    const { port } = await openDoor();
    const client = proxy(port);
    client.emit(pattern, { ...address, event: 'quiz:created', data: { n: 1 } });
    const answer = await send(client, pattern, {
      ...address,
      event: 'quiz:created',
      data: { n: 2 },
    });
    expect(answer).toMatchObject({
      outcome: 'done',
      inboxed: 0,
      ...(sessions === 0 && { sessions }),
    });
    expect(published).toMatchObject([
      { to, event: 'quiz:created', args: [{ n: 1 }] },
      { to, event: 'quiz:created', args: [{ n: 2 }] },
    ]);
  });

  test.each([
    ['invalid_payload', 'ws:emit:user', { event: 'x' }],
    ['invalid_payload', 'ws:emit:user', 'x'],
    ['reserved_event', 'ws:broadcast', { event: 'connect' }],
    ['unknown_field', 'ws:broadcast', { event: 'x', to: 'user:a' }],
    ['unknown_field', 'ws:broadcast', { event: 'x', action: 'disconnect' }],
    ['payload_too_large', 'ws:broadcast', { event: 'x', data: 'x'.repeat(MAX_BYTES) }],
    ['not_found', 'ws:emit:all', { event: 'x' }],
  ])('is told %s with the body of the catalogue', async (code, pattern, data) => {
    const { port } = await openDoor();
    await expect(send(proxy(port), pattern, data)).rejects.toMatchObject({
      code,
      message: expect.any(String) as string,
      retryable: false,
    });
    expect(published).toEqual([]);
  });

  test.each(['data', 'event', 'to', 'userId', 'id'])(
    'JSON that is nested without end in %s',
    async (field) => {
      const { port } = await openDoor();
      const client = proxy(port);
      const deep: unknown = JSON.parse('['.repeat(1500) + ']'.repeat(1500));
      const payload = { userId: 'u', event: 'x', [field]: deep };
      await expect(send(client, 'ws:emit:user', payload)).rejects.toHaveProperty('code');
      expect(await send(client, 'ws:broadcast', { event: 'x' })).toMatchObject({ outcome: 'done' });
    },
  );

  test('an event that is refused is counted, and what follows is executed', async () => {
    const { port } = await openDoor();
    const client = proxy(port);
    const before = metrics.commands.value('reserved_event');
    client.emit('ws:broadcast', { event: 'disconnect' });
    client.emit('ws:broadcast', { event: 'x', data: 'x'.repeat(MAX_BYTES) });
    await send(client, 'ws:broadcast', { event: 'x' });
    expect(metrics.commands.value('reserved_event')).toBe(before + 1);
    expect(published).toHaveLength(1);
  });

  test('what is no command is counted once too', async () => {
    const { port } = await openDoor();
    const client = proxy(port);
    const counts = () =>
      ['unknown_field', 'not_found', 'payload_too_large'].map((code) =>
        metrics.commands.value(code),
      );
    const before = counts();
    client.emit('ws:broadcast', { event: 'x', colour: 1 });
    client.emit('ws:nobody', { event: 'x' });
    client.emit('ws:broadcast', { event: 'x', data: 'x'.repeat(MAX_BYTES) });
    await send(client, 'ws:broadcast', { event: 'x' });
    expect(counts()).toEqual(before.map((count) => count + 1));
  });

  test('what one connection sends is executed in its order, requests and events alike', async () => {
    const { port } = await openDoor();
    const client = proxy(port);
    const answers: Promise<unknown>[] = [];
    for (let n = 0; n < 500; n += 1) {
      const data = { userId: 'u1', event: 'x', data: n };
      if (n % 3 === 0) answers.push(send(client, 'ws:emit:user', { ...data, id: `order-${n}` }));
      else client.emit('ws:emit:user', data);
    }
    answers.push(send(client, 'ws:emit:user', { userId: 'u1', event: 'x', data: 500 }));
    await Promise.all(answers);
    expect(published.map(({ args }) => args[0])).toEqual(Array.from({ length: 501 }, (_, n) => n));
  });
});

describe('limits', () => {
  async function raw(port: number): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    closing.push(() => void socket.destroy());
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    return socket;
  }

  test.each([
    ['no length', 'abc#{}'],
    ['no JSON', '3#{a}'],
    ['far too large', `${1024 * 1024}#${'x'.repeat(200 * 1024)}`],
  ])('%s ends the connection and no other', async (_name, bytes) => {
    const { port } = await openDoor();
    const socket = await raw(port);
    socket.write(bytes);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await send(proxy(port), 'ws:broadcast', { event: 'x' })).toMatchObject({
      outcome: 'done',
    });
  });

  test.each(['null', '7', '[]', '"x"', '{"pattern":{"cmd":"x"}}', '{"id":1}'])(
    '%s is no command and no fault',
    async (message) => {
      const { port } = await openDoor();
      const socket = await raw(port);
      const request = JSON.stringify({ id: 'r', pattern: 'ws:broadcast', data: { event: 'x' } });
      socket.write(`${message.length}#${message}${request.length}#${request}`);
      let text = '';
      for await (const chunk of socket) {
        text += String(chunk);
        if (text.includes('"r"')) break;
      }
      expect(text).toContain('"outcome":"done"');
    },
  );

  test.each([
    ['commands', 3000, 1000],
    ['bytes', 60_000, 70],
  ])('a connection is not read while too many %s of it wait', async (_, size, most) => {
    const gate = Promise.withResolvers<void>();
    const taken: number[] = [];
    const { door, port } = await openDoor(
      { STREAMGATE_COMMAND_MAX_BYTES: '65536' },
      {
        async executeBatch(inputs) {
          taken.push(inputs.length);
          await gate.promise;
          return inputs.map(() => ({ outcome: 'done', inboxed: 0 }));
        },
      },
    );
    const served = once(door.unwrap<NetServer>(), 'connection') as Promise<[Socket]>;
    const socket = await raw(port);
    const [reading] = await served;
    const data = { event: 'x', data: 'x'.repeat(size) };
    const message = JSON.stringify({ pattern: 'ws:broadcast', data });
    const count = 3 * most;
    for (let n = 0; n < count; n++) socket.write(`${message.length}#${message}`);
    await expect.poll(() => reading.isPaused()).toBe(true);
    gate.resolve();
    await expect.poll(() => taken.reduce((sum, each) => sum + each, 0)).toBe(count);
    // What Node has read at once is taken whole.
    const atOnce = Math.ceil((64 * 1024) / size);
    expect(Math.max(...taken)).toBeLessThanOrEqual(most + atOnce);
  });

  test('closing executes and answers what has come', async () => {
    const { door, port } = await openDoor();
    const client = proxy(port);
    await send(client, 'ws:broadcast', { event: 'x' });
    const answers = Array.from({ length: 50 }, () => send(client, 'ws:broadcast', { event: 'x' }));
    await expect.poll(() => published.length).toBeGreaterThan(1);
    await door.close();
    const settled = await Promise.allSettled(answers);
    const answered = settled.filter(({ status }) => status === 'fulfilled').length;
    expect(answered).toBe(published.length - 1);
    await expect(send(proxy(port), 'ws:broadcast', { event: 'x' })).rejects.toThrow();
  });

  test('a port that is taken is said', async () => {
    const { port } = await openDoor();
    const second = new TcpDoor(readConfig({ ...env, STREAMGATE_TCP_PORT: String(port) }), executor);
    await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'streamgate-tcp-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('with a key and a certificate it speaks nothing else', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const args = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
    ];
    execFileSync('openssl', args, { stdio: 'ignore' });
    const { port } = await openDoor({
      STREAMGATE_TCP_TLS_KEY_FILE: key,
      STREAMGATE_TCP_TLS_CERT_FILE: cert,
    });
    const client = proxy(port, { ca: readFileSync(cert, 'utf8') });
    expect(await send(client, 'ws:broadcast', { event: 'x' })).toMatchObject({ outcome: 'done' });
    await expect(send(proxy(port), 'ws:broadcast', { event: 'x' })).rejects.toThrow();
  });

  test.each([
    ['STREAMGATE_TCP_TLS_KEY', 'goes together with'],
    ['STREAMGATE_TCP_TLS_CERT', 'must be certificates'],
  ])('%s that is not right stops the start', (name, fault) => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    expect(() => readConfig({ ...env, [name]: privateKey })).toThrow(fault);
  });
});
